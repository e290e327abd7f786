//! A virtual circuit that leads to a DRG nobody knows.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use common::edits::Edited;
use common::oci::verdict;
use skybridge_lab::document::Verdict;

#[test]
fn where_a_circuit_leads_whose_drg_nobody_knows_is_unknown_and_named() {
    let gateway = "gateway_id                = oci_core_drg.this.id";
    let unknown = "gateway_id                = data.oci_core_vlan.old.vcn_id";
    let edited = Edited::example()
        .replace("interconnect.tf", gateway, unknown)
        .append(
            "interconnect.tf",
            "\ndata \"oci_core_vlan\" \"old\" {\n  vlan_id = \"ocid1.vlan.oc1..x\"\n}\n",
        );
    let mut source = edited.0;
    source.files.remove("lab.sky.hcl");
    let report = Virtual::new().up(vec![source]);
    for (from, to) in [("app-1", "db"), ("db", "app-1")] {
        assert_eq!(verdict(&report, from, to), Verdict::Unknown, "{report:#?}");
    }
    let named = report.not_modelled.iter();
    let named = named.filter(|row| row.resource == "oci_core_virtual_circuit.azure");
    assert_eq!(named.count(), 1, "{:#?}", report.not_modelled);
}
