//! Peerings inside one cloud, judged by packets.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use common::oci::{drg, source, vcn};
use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::StackSource;

const REGIONS: &str = r#"
provider "oci" {
  alias  = "here"
  region = "us-ashburn-1"
}

provider "oci" {
  alias  = "there"
  region = "uk-london-1"
}
"#;

fn remote(more: &str) -> StackSource {
    let text = [
        REGIONS.to_owned(),
        vcn(
            "here",
            1,
            "here",
            &[("10.2.0.0/16", "oci_core_drg.here.id")],
        ),
        vcn(
            "there",
            2,
            "there",
            &[("10.1.0.0/16", "oci_core_drg.there.id")],
        ),
        drg("here", "here"),
        drg("there", "there"),
        more.to_owned(),
    ];
    source(text.concat())
}

const CONNECTIONS: &str = r#"
resource "oci_core_remote_peering_connection" "there" {
  provider       = oci.there
  compartment_id = "c"
  drg_id         = oci_core_drg.there.id
  display_name   = "there"
}

resource "oci_core_remote_peering_connection" "here" {
  provider         = oci.here
  compartment_id   = "c"
  drg_id           = oci_core_drg.here.id
  display_name     = "here"
  peer_id          = oci_core_remote_peering_connection.there.id
  peer_region_name = "uk-london-1"
}
"#;

fn verdicts(report: &Report) -> Vec<(&str, Verdict)> {
    let rows = report.reachability.iter();
    rows.map(|row| (row.from.as_str(), row.ok)).collect()
}

#[test]
fn two_drgs_whose_connections_are_peered_carry_what_their_tables_hold() {
    let mut lab = Virtual::new();
    let apart = lab.up(vec![remote("")]);
    assert!(verdicts(&apart).iter().all(|(_, v)| *v == Verdict::Fails));
    let joined = lab.up(vec![remote(CONNECTIONS)]);
    assert_eq!(
        verdicts(&joined),
        [("here", Verdict::Holds), ("there", Verdict::Holds)],
        "{:#?}",
        joined.reachability
    );
    assert!(joined.not_modelled.is_empty(), "{:#?}", joined.not_modelled);
    // Peered by nobody a connection carries nothing.
    let alone = CONNECTIONS.replace(
        "  peer_id          = oci_core_remote_peering_connection.there.id\n",
        "",
    );
    let report = Virtual::new().up(vec![remote(&alone)]);
    assert!(verdicts(&report).iter().all(|(_, v)| *v == Verdict::Fails));
}

#[test]
fn a_table_that_imports_no_connection_has_none_of_its_routes() {
    let picky = r#"
resource "oci_core_drg_route_distribution" "vcns" {
  provider          = oci.here
  drg_id            = oci_core_drg.here.id
  distribution_type = "IMPORT"
}

resource "oci_core_drg_route_distribution_statement" "vcns" {
  provider                  = oci.here
  drg_route_distribution_id = oci_core_drg_route_distribution.vcns.id
  action                    = "ACCEPT"
  priority                  = 1

  match_criteria {
    match_type      = "DRG_ATTACHMENT_TYPE"
    attachment_type = "VCN"
  }
}

resource "oci_core_drg_route_table" "vcns" {
  provider                         = oci.here
  drg_id                           = oci_core_drg.here.id
  import_drg_route_distribution_id = oci_core_drg_route_distribution.vcns.id
}
"#;
    let mut stack = remote(&format!("{CONNECTIONS}{picky}"));
    let text = stack.files.get_mut("main.tf").unwrap();
    *text = text.replace(
        "  drg_id   = oci_core_drg.here.id\n",
        "  drg_id   = oci_core_drg.here.id\n  drg_route_table_id = oci_core_drg_route_table.vcns.id\n",
    );
    let report = Virtual::new().up(vec![stack]);
    assert_eq!(
        verdicts(&report),
        [("here", Verdict::Fails), ("there", Verdict::Fails)],
        "{:#?}",
        report.reachability
    );
}

#[test]
fn a_peer_that_is_not_in_this_network_leaves_verdicts_unknown() {
    let elsewhere = CONNECTIONS.replace(
        "oci_core_remote_peering_connection.there.id",
        "\"ocid1.remotepeeringconnection.oc1.uk-london-1.other\"",
    );
    let report = Virtual::new().up(vec![remote(&elsewhere)]);
    let from_here = verdicts(&report)
        .into_iter()
        .find(|(from, _)| *from == "here");
    assert_eq!(from_here, Some(("here", Verdict::Unknown)));
    let named = report.not_modelled.iter();
    let named = named.filter(|n| n.resource == "oci_core_remote_peering_connection.here");
    assert!(named.count() > 0, "{:#?}", report.not_modelled);
}

const GATEWAYS: &str = r#"
resource "oci_core_local_peering_gateway" "a" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.a.id
  display_name   = "a"
  peer_id        = oci_core_local_peering_gateway.b.id
}

resource "oci_core_local_peering_gateway" "b" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.b.id
  display_name   = "b"
}
"#;

fn local(gateways: &str) -> StackSource {
    let to = |name: &str| format!("oci_core_local_peering_gateway.{name}.id");
    let text = [
        vcn("a", 1, "", &[("10.2.0.0/16", &to("a"))]),
        vcn("b", 2, "", &[("10.1.0.0/16", &to("b"))]),
        gateways.to_owned(),
    ];
    source(text.concat())
}

#[test]
fn two_vcns_whose_gateways_are_peered_reach_each_other() {
    let report = Virtual::new().up(vec![local(GATEWAYS)]);
    assert_eq!(
        verdicts(&report),
        [("a", Verdict::Holds), ("b", Verdict::Holds)],
        "{:#?}",
        report.reachability
    );
    let alone = GATEWAYS.replace(
        "  peer_id        = oci_core_local_peering_gateway.b.id\n",
        "",
    );
    let report = Virtual::new().up(vec![local(&alone)]);
    let said = report.diagnostics.iter();
    let said = said.filter(|d| d.rule.as_deref() == Some("oci.route-peering-alone"));
    assert_eq!(said.count(), 2, "{:#?}", report.diagnostics);
}

#[test]
fn vcns_that_overlap_are_not_peered() {
    let mut stack = local(GATEWAYS);
    let text = stack.files.get_mut("main.tf").unwrap();
    *text = text.replace("[\"10.2.0.0/16\"]", "[\"10.2.0.0/16\", \"10.1.128.0/17\"]");
    let report = Virtual::new().up(vec![stack]);
    let said = report.diagnostics.iter();
    let said = said.filter(|d| d.rule.as_deref() == Some("oci.local-peering-overlap"));
    assert_eq!(said.count(), 1, "{:#?}", report.diagnostics);
}

/// Two tenancies' networks, joined by an IPsec connection whose far end is a machine.
fn over_ipsec(routes: &str, more: &str) -> StackSource {
    let ipsec = format!(
        r#"
resource "oci_core_cpe" "far" {{
  provider       = oci.here
  compartment_id = "c"
  ip_address     = "203.0.113.9"
}}

resource "oci_core_ipsec" "far" {{
  provider       = oci.here
  compartment_id = "c"
  cpe_id         = oci_core_cpe.far.id
  drg_id         = oci_core_drg.here.id
  static_routes  = ["{routes}"]
}}
{more}"#
    );
    remote(&ipsec)
}

#[test]
fn what_takes_an_ipsec_tunnel_is_unknown_and_what_no_static_route_covers_is_not() {
    let from_here = |report: &Report| {
        let rows = report.reachability.iter();
        let mut rows = rows.filter(|row| row.from == "here");
        rows.next().unwrap().ok
    };
    let mut lab = Virtual::new();
    let report = lab.up(vec![over_ipsec("10.2.0.0/16", "")]);
    assert_eq!(from_here(&report), Verdict::Unknown);
    let named = report.not_modelled.iter();
    assert!(
        named
            .clone()
            .any(|n| n.what.contains("IPsec is not modelled"))
    );
    let report = lab.up(vec![over_ipsec("10.9.0.0/16", "")]);
    assert_eq!(from_here(&report), Verdict::Fails);
    let bgp = r#"
data "oci_core_ipsec_connection_tunnels" "far" {
  provider = oci.here
  ipsec_id = oci_core_ipsec.far.id
}

resource "oci_core_ipsec_connection_tunnel_management" "far" {
  provider  = oci.here
  ipsec_id  = oci_core_ipsec.far.id
  tunnel_id = data.oci_core_ipsec_connection_tunnels.far.ip_sec_connection_tunnels[0].id
  routing   = "BGP"

  bgp_session_info {
    customer_bgp_asn      = "65010"
    customer_interface_ip = "10.0.0.1/30"
    oracle_interface_ip   = "10.0.0.2/30"
  }
}
"#;
    let report = lab.up(vec![over_ipsec("10.9.0.0/16", bgp)]);
    assert_eq!(
        from_here(&report),
        Verdict::Unknown,
        "{:#?}",
        report.diagnostics
    );
}

#[test]
fn databases_are_hosts_of_their_subnets() {
    let databases = r#"
resource "oci_database_db_system" "db" {
  availability_domain = "1"
  compartment_id      = "c"
  database_edition    = "ENTERPRISE_EDITION"
  display_name        = "dbs"
  hostname            = "dbs"
  shape               = "VM.Standard.E4.Flex"
  ssh_public_keys     = ["ssh-rsa x"]
  subnet_id           = oci_core_subnet.b.id

  db_home {
    database {
      admin_password = "x"
    }
  }
}

resource "oci_database_autonomous_database" "adb" {
  compartment_id = "c"
  db_name        = "adb"
  subnet_id      = oci_core_subnet.b.id
}

resource "oci_database_autonomous_database" "public" {
  compartment_id = "c"
  db_name        = "open"
}

output "addresses" {
  value = join(" ", [
    oci_database_db_system.db.private_ip,
    oci_database_autonomous_database.adb.private_endpoint_ip,
  ])
}
"#;
    let report = Virtual::new().up(vec![local(&format!("{GATEWAYS}{databases}"))]);
    let rows = report.reachability.iter();
    let pairs: Vec<_> = rows
        .filter(|row| row.from == "a")
        .map(|row| (row.to.as_str(), row.ok))
        .collect();
    assert_eq!(
        pairs,
        [
            ("adb", Verdict::Holds),
            ("b", Verdict::Holds),
            ("dbs", Verdict::Holds)
        ],
        "{:#?}",
        report.diagnostics
    );
    let addresses = &report.summary.outputs[0].1;
    assert_eq!(addresses.split(' ').count(), 2, "{addresses}");
    assert!(
        addresses.split(' ').all(|a| a.starts_with("10.2.1.")),
        "{addresses}"
    );
    let mut named = report.not_modelled.iter();
    assert!(named.any(|n| n.resource == "oci_database_autonomous_database.public"));
}
