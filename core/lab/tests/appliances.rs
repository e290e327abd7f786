//! Machines and load balancers that user routes lead to, judged by packets.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use common::hubs::{Hub, machine, spoke, verdict, why};
use common::oci;
use skybridge_lab::document::{Report, Verdict};

const FORWARDS: &str = "ip_forwarding_enabled = true";
const HOP: &str = "azurerm_network_interface.nva.private_ip_address";

/// Two spokes that reach each other by a machine in the hub only.
fn two_spokes(interface: &str) -> Hub {
    Hub::new()
        .add(&machine("nva", "hub", "10.0.2.0/24", interface))
        .add(&spoke("left", 1, &[["10.2.0.0/16", HOP]]))
        .add(&spoke("right", 2, &[["10.1.0.0/16", HOP]]))
}

const APPLIANCE: &str = r#"
appliance "nva" {
  host = azurerm_linux_virtual_machine.nva
}
"#;

#[test]
fn what_a_machine_does_with_others_packets_is_unknown_until_the_lab_file_says_it() {
    let report = two_spokes(FORWARDS).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Unknown);
    let said = report.not_modelled.iter();
    let mut said = said.filter(|row| row.what.contains("an `appliance` block of a lab file"));
    assert!(said.next().is_some(), "{:#?}", report.not_modelled);
    let report = two_spokes(FORWARDS).lab(APPLIANCE).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Holds);
    assert_eq!(verdict(&report, "right", "left"), Verdict::Holds);
    // It is a machine still.
    assert_eq!(verdict(&report, "left", "nva"), Verdict::Holds);
    assert_eq!(verdict(&report, "nva", "right"), Verdict::Holds);
}

#[test]
fn an_interface_without_ip_forwarding_drops_what_is_not_its_own_whatever_the_machine_would_do() {
    for lab in ["", APPLIANCE] {
        let report = two_spokes("").lab(lab).up(&mut Virtual::new());
        assert_eq!(verdict(&report, "left", "right"), Verdict::Fails);
        let why = why(&report, "left", "right");
        assert!(why.contains("route not forwarding at vnet/hub"), "{why}");
    }
}

#[test]
fn a_stateful_appliance_drops_replies_whose_requests_went_elsewhere() {
    let one_way = two_spokes(FORWARDS).add(
        r#"
resource "azurerm_virtual_network_peering" "left_right" {
  name                      = "left-right"
  resource_group_name       = azurerm_resource_group.this.name
  virtual_network_name      = azurerm_virtual_network.left.name
  remote_virtual_network_id = azurerm_virtual_network.right.id
}

resource "azurerm_virtual_network_peering" "right_left" {
  name                      = "right-left"
  resource_group_name       = azurerm_resource_group.this.name
  virtual_network_name      = azurerm_virtual_network.right.name
  remote_virtual_network_id = azurerm_virtual_network.left.id
}
"#,
    );
    let one_way = one_way.replace(
        "address_prefix = \"10.2.0.0/16\"",
        "address_prefix = \"10.9.0.0/16\"",
    );
    let report = one_way.clone().lab(APPLIANCE).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Holds);
    let stateful = APPLIANCE.replace("nva\n", "nva\n  stateful = true\n");
    let report = one_way.lab(&stateful).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Fails);
    let why = why(&report, "left", "right");
    assert!(why.contains("out of state at nva/forwarding"), "{why}");
}

#[test]
fn the_security_group_of_its_interface_judges_what_an_appliance_passes_on() {
    let group = r#"
resource "azurerm_network_security_group" "nva" {
  name                = "nva"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location

  security_rule {
    name                       = "no-left"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_port_range          = "*"
    destination_port_range     = "*"
    source_address_prefix      = "10.1.0.0/16"
    destination_address_prefix = "*"
  }
}

resource "azurerm_network_interface_security_group_association" "nva" {
  network_interface_id      = azurerm_network_interface.nva.id
  network_security_group_id = azurerm_network_security_group.nva.id
}
"#;
    let report = two_spokes(FORWARDS)
        .add(group)
        .lab(APPLIANCE)
        .up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Fails);
    assert!(why(&report, "left", "right").contains("no-left"));
    // Replies of what it lets pass come back by the same card.
    assert_eq!(verdict(&report, "right", "left"), Verdict::Holds);
}

/// Two machines in the hub behind a load balancer that takes everything.
fn balanced(rule: &str) -> Hub {
    let hop = "azurerm_lb.nva.frontend_ip_configuration[0].private_ip_address";
    let pool = |name: &str| {
        format!(
            r#"
resource "azurerm_network_interface_backend_address_pool_association" "{name}" {{
  network_interface_id    = azurerm_network_interface.{name}.id
  ip_configuration_name   = "main"
  backend_address_pool_id = azurerm_lb_backend_address_pool.nva.id
}}
"#
        )
    };
    Hub::new()
        .add(&machine("one", "hub", "10.0.2.0/24", FORWARDS))
        .add(&machine("two", "hub", "10.0.3.0/24", FORWARDS))
        .add(&pool("one"))
        .add(&pool("two"))
        .add(&format!(
            r#"
resource "azurerm_lb" "nva" {{
  name                = "nva"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  sku                 = "Standard"

  frontend_ip_configuration {{
    name                          = "main"
    subnet_id                     = azurerm_subnet.one.id
    private_ip_address_allocation = "Static"
    private_ip_address            = "10.0.2.100"
  }}
}}

resource "azurerm_lb_backend_address_pool" "nva" {{
  name            = "nva"
  loadbalancer_id = azurerm_lb.nva.id
}}

resource "azurerm_lb_probe" "nva" {{
  name            = "ssh"
  loadbalancer_id = azurerm_lb.nva.id
  port            = 22
}}

resource "azurerm_lb_rule" "nva" {{
  name                           = "all"
  loadbalancer_id                = azurerm_lb.nva.id
  frontend_ip_configuration_name = "main"
  backend_address_pool_ids       = [azurerm_lb_backend_address_pool.nva.id]
  probe_id                       = azurerm_lb_probe.nva.id
{rule}
}}
"#
        ))
        .add(&spoke("left", 1, &[["10.2.0.0/16", hop]]))
        .add(&spoke("right", 2, &[["10.1.0.0/16", hop]]))
}

const HA_PORTS: &str = r#"
  protocol      = "All"
  frontend_port = 0
  backend_port  = 0
"#;

const BOTH: &str = r#"
appliance "one" {
  host     = azurerm_linux_virtual_machine.one
  stateful = true
}

appliance "two" {
  host     = azurerm_linux_virtual_machine.two
  stateful = true
}
"#;

#[test]
fn ha_ports_keep_a_flow_on_one_machine_in_both_directions() {
    let mut lab = Virtual::new();
    // Stateful machines drop what they have not seen open: many flows pass only if each keeps its machine.
    for index in 0..8 {
        let expected: String = (0..index + 1)
            .map(|i| {
                format!(
                    "\nexpect \"flow {i}\" {{\n  from = azurerm_linux_virtual_machine.left\n  to = azurerm_linux_virtual_machine.right\n  tcp = {}\n}}\n",
                    5000 + i
                )
            })
            .collect();
        let report = balanced(HA_PORTS).lab(BOTH).lab(&expected).up(&mut lab);
        assert_eq!(verdict(&report, "left", "right"), Verdict::Holds);
        assert_eq!(verdict(&report, "right", "left"), Verdict::Holds);
        for row in &report.expectations {
            assert_eq!(row.holds, Verdict::Holds, "{row:?}");
        }
    }
}

#[test]
fn a_load_balancer_is_a_hop_only_with_ha_ports_and_machines_that_forward() {
    let report = balanced(HA_PORTS).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Unknown);
    let one = BOTH.split("appliance \"two\"").next().unwrap();
    let report = balanced(HA_PORTS).lab(one).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Unknown);
    let plain = "protocol = \"Tcp\"\n  frontend_port = 443\n  backend_port = 443\n";
    let report = balanced(plain).lab(BOTH).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Unknown);
}

/// A VCN whose machine's way to another leads by a machine that forwards, if its card lets it.
fn through_a_private_ip(checked: bool, lab: &str) -> Report {
    let nva = format!(
        r#"
resource "oci_core_route_table" "nva" {{
  compartment_id = "c"
  vcn_id         = oci_core_vcn.here.id

  route_rules {{
    destination       = "10.2.0.0/16"
    network_entity_id = oci_core_local_peering_gateway.here.id
  }}
}}

resource "oci_core_subnet" "nva" {{
  compartment_id = "c"
  vcn_id         = oci_core_vcn.here.id
  cidr_block     = "10.1.2.0/24"
  display_name   = "nva"
  route_table_id = oci_core_route_table.nva.id
}}

resource "oci_core_instance" "nva" {{
  compartment_id      = "c"
  availability_domain = "1"
  display_name        = "nva"
  shape               = "VM.Standard.E5.Flex"

  create_vnic_details {{
    subnet_id              = oci_core_subnet.nva.id
    skip_source_dest_check = {}
  }}
}}

data "oci_core_private_ips" "nva" {{
  ip_address = oci_core_instance.nva.private_ip
  subnet_id  = oci_core_subnet.nva.id
}}

resource "oci_core_local_peering_gateway" "here" {{
  compartment_id = "c"
  vcn_id         = oci_core_vcn.here.id
  display_name   = "here"
  peer_id        = oci_core_local_peering_gateway.there.id
}}

resource "oci_core_local_peering_gateway" "there" {{
  compartment_id = "c"
  vcn_id         = oci_core_vcn.there.id
  display_name   = "there"
}}
"#,
        !checked
    );
    let by = "data.oci_core_private_ips.nva.private_ips[0].id";
    let back = "oci_core_local_peering_gateway.there.id";
    let text = [
        oci::vcn("here", 1, "", &[("10.2.0.0/16", by)]),
        oci::vcn("there", 2, "", &[("10.1.0.0/16", back)]),
        nva,
    ];
    let mut source = oci::source(text.concat());
    if !lab.is_empty() {
        let name = "lab.sky.hcl".to_owned();
        source.files.insert(name, lab.to_owned());
    }
    Virtual::new().up(vec![source])
}

#[test]
fn a_private_ip_as_next_hop_passes_on_when_its_card_and_its_machine_do() {
    let lab = "appliance \"nva\" {\n  host = oci_core_instance.nva\n}\n";
    let report = through_a_private_ip(false, lab);
    assert_eq!(
        verdict(&report, "here", "there"),
        Verdict::Holds,
        "{report:#?}"
    );
    let report = through_a_private_ip(false, "");
    assert_eq!(verdict(&report, "here", "there"), Verdict::Unknown);
    let report = through_a_private_ip(true, lab);
    assert_eq!(verdict(&report, "here", "there"), Verdict::Fails);
    assert!(why(&report, "here", "there").contains("route not forwarding"));
}
