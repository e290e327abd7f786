//! Routes of a virtual circuit over remote peering: the example's circuit and networks in further regions.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use common::edits::Edited;
use common::oci::{drg, vcn, verdict};
use skybridge_lab::document::{Report, Verdict};

/// A machine of the example in Azure.
const APP: &str = "app-1";

/// A DRG route table that imports attachments of these types, and the attachment that it is for.
fn table(name: &str, drg: &str, provider: &str, imports: &[&str], of: (&str, &str)) -> String {
    let provider = if provider.is_empty() {
        String::new()
    } else {
        format!("  provider = oci.{provider}\n")
    };
    let statements: String = (imports.iter().enumerate())
        .map(|(i, import)| {
            format!(
                r#"
resource "oci_core_drg_route_distribution_statement" "{name}_{i}" {{
{provider}  drg_route_distribution_id = oci_core_drg_route_distribution.{name}.id
  action   = "ACCEPT"
  priority = {i} + 1

  match_criteria {{
    match_type      = "DRG_ATTACHMENT_TYPE"
    attachment_type = "{import}"
  }}
}}
"#
            )
        })
        .collect();
    let (kind, network) = of;
    format!(
        r#"
resource "oci_core_drg_route_distribution" "{name}" {{
{provider}  drg_id            = oci_core_drg.{drg}.id
  distribution_type = "IMPORT"
}}
{statements}
resource "oci_core_drg_route_table" "{name}" {{
{provider}  drg_id                           = oci_core_drg.{drg}.id
  import_drg_route_distribution_id = oci_core_drg_route_distribution.{name}.id
}}

resource "oci_core_drg_attachment_management" "{name}" {{
{provider}  compartment_id     = "c"
  attachment_type    = "{kind}"
  network_id         = {network}.id
  drg_id             = oci_core_drg.{drg}.id
  drg_route_table_id = oci_core_drg_route_table.{name}.id
}}
"#
    )
}

/// A connection from the DRG `from` to the DRG `to`, called `FROM_TO` and `TO_FROM`.
fn peering(from: (&str, &str), to: (&str, &str)) -> String {
    let end = |(own, provider): (&str, &str), far: &str, more: &str| {
        let provider = if provider.is_empty() {
            String::new()
        } else {
            format!("  provider = oci.{provider}\n")
        };
        format!(
            r#"
resource "oci_core_remote_peering_connection" "{own}_{far}" {{
{provider}  compartment_id = "c"
  drg_id         = oci_core_drg.{own}.id
{more}}}
"#
        )
    };
    let (one, other) = (from.0, to.0);
    let peer = format!(
        "  peer_id = oci_core_remote_peering_connection.{other}_{one}.id\n  peer_region_name = \"uk-london-1\"\n"
    );
    end(to, one, "") + &end(from, other, &peer)
}

const REGIONS: &str = r#"
provider "oci" {
  alias  = "far"
  region = "uk-london-1"
}

provider "oci" {
  alias  = "farther"
  region = "eu-frankfurt-1"
}
"#;

/// The example with a network in a further region that is peered with it.
fn far(more: &str) -> Edited {
    let cidr = "azurerm_virtual_network.app.address_space[0]";
    let rules = |to: &str| format!("oci_core_drg.{to}.id");
    let network = vcn("far", 77, "far", &[("CIDR", &rules("far"))]);
    Edited::example()
        .append("far.tf", REGIONS)
        .append("far.tf", &network.replace("\"CIDR\"", cidr))
        .append("far.tf", &drg("far", "far"))
        .append("far.tf", &peering(("this", ""), ("far", "far")))
        .append("far.tf", more)
}

/// What the DRG with the circuit needs to pass its routes on, and to announce what comes back.
fn passing() -> String {
    let circuit = ("VIRTUAL_CIRCUIT", "oci_core_virtual_circuit.azure");
    let connection = (
        "REMOTE_PEERING_CONNECTION",
        "oci_core_remote_peering_connection.this_far",
    );
    let to_far = ["VCN", "VIRTUAL_CIRCUIT"];
    let to_azure = ["VCN", "REMOTE_PEERING_CONNECTION"];
    table("to_far", "this", "", &to_far, connection)
        + &table("to_azure", "this", "", &to_azure, circuit)
}

fn both(report: &Report, far: &str) -> [Verdict; 2] {
    [verdict(report, APP, far), verdict(report, far, APP)]
}

#[test]
fn the_default_tables_pass_no_route_of_a_circuit_over_remote_peering() {
    let report = Virtual::new().up(vec![far("").0]);
    assert_eq!(both(&report, "far"), [Verdict::Fails; 2], "{report:#?}");
    assert!(report.not_modelled.is_empty(), "{:#?}", report.not_modelled);
}

#[test]
fn tables_that_import_both_ways_join_a_circuit_with_a_region_behind_a_peering() {
    let mut lab = Virtual::new();
    let report = lab.up(vec![far(&passing()).0]);
    assert_eq!(both(&report, "far"), [Verdict::Holds; 2], "{report:#?}");
    assert!(report.not_modelled.is_empty(), "{:#?}", report.not_modelled);
    // Without the way back no answer comes, and without the circuit nothing at all.
    let one_way = passing().replace(
        "\"REMOTE_PEERING_CONNECTION\"\n  }",
        "\"IPSEC_TUNNEL\"\n  }",
    );
    let report = lab.up(vec![far(&one_way).0]);
    assert_eq!(both(&report, "far"), [Verdict::Fails; 2], "{report:#?}");
}

#[test]
fn routes_of_a_circuit_go_on_over_a_second_peering_where_a_table_takes_them() {
    let cidr = "azurerm_virtual_network.app.address_space[0]";
    let network = vcn(
        "farther",
        78,
        "farther",
        &[("CIDR", "oci_core_drg.farther.id")],
    );
    let third = network.replace("\"CIDR\"", cidr)
        + &drg("farther", "farther")
        + &peering(("farther", "farther"), ("far", "far"));
    let all = ["VCN", "VIRTUAL_CIRCUIT", "REMOTE_PEERING_CONNECTION"];
    let on = |name: &str, connection: &str| {
        let of = ("REMOTE_PEERING_CONNECTION", connection);
        table(name, "far", "far", &all, of)
    };
    let mut lab = Virtual::new();
    let report = lab.up(vec![far(&(passing() + &third)).0]);
    assert_eq!(both(&report, "farther"), [Verdict::Fails; 2], "{report:#?}");
    let passed = on("onward", "oci_core_remote_peering_connection.far_farther")
        + &on("back", "oci_core_remote_peering_connection.far_this");
    let report = lab.up(vec![far(&(passing() + &third + &passed)).0]);
    assert_eq!(both(&report, "farther"), [Verdict::Holds; 2], "{report:#?}");
    assert_eq!(both(&report, "far"), [Verdict::Holds; 2], "{report:#?}");
}
