//! Texts of small OCI networks.

use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::StackSource;

pub(crate) fn source(text: String) -> StackSource {
    StackSource {
        directory: "/peerings".to_owned(),
        files: [("main.tf".to_owned(), text)].into(),
        ..StackSource::default()
    }
}

/// A VCN with a machine, whose default route table leads `to` with `rules`; `provider` is an alias or nothing.
pub(crate) fn vcn(name: &str, octet: u8, provider: &str, rules: &[(&str, &str)]) -> String {
    let provider = if provider.is_empty() {
        String::new()
    } else {
        format!("  provider       = oci.{provider}\n")
    };
    let rules: String = (rules.iter())
        .map(|(destination, target)| {
            format!(
                "  route_rules {{\n    destination       = \"{destination}\"\n    network_entity_id = {target}\n  }}\n"
            )
        })
        .collect();
    format!(
        r#"
resource "oci_core_vcn" "{name}" {{
{provider}  compartment_id = "c"
  cidr_blocks    = ["10.{octet}.0.0/16"]
  display_name   = "{name}"
}}

resource "oci_core_default_route_table" "{name}" {{
{provider}  manage_default_resource_id = oci_core_vcn.{name}.default_route_table_id
{rules}}}

resource "oci_core_default_security_list" "{name}" {{
{provider}  manage_default_resource_id = oci_core_vcn.{name}.default_security_list_id

  egress_security_rules {{
    protocol    = "all"
    destination = "0.0.0.0/0"
  }}

  ingress_security_rules {{
    protocol = "all"
    source   = "0.0.0.0/0"
  }}
}}

resource "oci_core_subnet" "{name}" {{
{provider}  compartment_id = "c"
  vcn_id         = oci_core_vcn.{name}.id
  cidr_block     = "10.{octet}.1.0/24"
  display_name   = "{name}"
}}

resource "oci_core_instance" "{name}" {{
{provider}  compartment_id      = "c"
  availability_domain = "1"
  display_name        = "{name}"
  shape               = "VM.Standard.E5.Flex"

  create_vnic_details {{
    subnet_id = oci_core_subnet.{name}.id
  }}
}}
"#
    )
}

pub(crate) fn drg(name: &str, provider: &str) -> String {
    format!(
        r#"
resource "oci_core_drg" "{name}" {{
  provider       = oci.{provider}
  compartment_id = "c"
  display_name   = "{name}"
}}

resource "oci_core_drg_attachment" "{name}" {{
  provider = oci.{provider}
  drg_id   = oci_core_drg.{name}.id

  network_details {{
    id   = oci_core_vcn.{name}.id
    type = "VCN"
  }}
}}
"#
    )
}

/// What came of the expectation called `name`.
pub(crate) fn expected(report: &Report, name: &str) -> Verdict {
    let mut rows = report.expectations.iter();
    let row = rows.find(|row| row.name == name);
    row.unwrap_or_else(|| panic!("{name}: {report:#?}")).holds
}

/// The verdict about packets from one machine to another.
pub(crate) fn verdict(report: &Report, from: &str, to: &str) -> Verdict {
    let mut rows = report.reachability.iter();
    let row = rows.find(|row| row.from == from && row.to == to);
    row.unwrap_or_else(|| panic!("{from} to {to}: {report:#?}"))
        .ok
}
