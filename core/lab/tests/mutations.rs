//! Other ways to write the example's network: the text differs, the network does not.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::collections::BTreeSet;

use common::edits::{Edited, assert_works, complaints, same_network};
use common::{Virtual, example};
use skybridge_lab::document::Report;
use skybridge_lab::request::{StackArgument, StackSource};

fn host_names(report: &Report) -> BTreeSet<&str> {
    (report.reachability.iter())
        .flat_map(|row| [row.from.as_str(), row.to.as_str()])
        .collect()
}

#[test]
fn names_of_resources_and_of_things_are_free() {
    let mut edited = Edited::example();
    for (from, to) in [
        (
            "azurerm_virtual_network.app",
            "azurerm_virtual_network.spoke_7",
        ),
        (
            "\"azurerm_virtual_network\" \"app\"",
            "\"azurerm_virtual_network\" \"spoke_7\"",
        ),
        ("azurerm_subnet.gateway", "azurerm_subnet.GW"),
        (
            "\"azurerm_subnet\" \"gateway\"",
            "\"azurerm_subnet\" \"GW\"",
        ),
        (
            "azurerm_linux_virtual_machine.app",
            "azurerm_linux_virtual_machine.worker",
        ),
        (
            "\"azurerm_linux_virtual_machine\" \"app\"",
            "\"azurerm_linux_virtual_machine\" \"worker\"",
        ),
        (
            "azurerm_express_route_circuit.this",
            "azurerm_express_route_circuit.er",
        ),
        (
            "\"azurerm_express_route_circuit\" \"this\"",
            "\"azurerm_express_route_circuit\" \"er\"",
        ),
        (
            "oci_core_virtual_circuit.azure",
            "oci_core_virtual_circuit.fc-1",
        ),
        (
            "\"oci_core_virtual_circuit\" \"azure\"",
            "\"oci_core_virtual_circuit\" \"fc-1\"",
        ),
        ("oci_core_instance.db", "oci_core_instance._db"),
        (
            "\"oci_core_instance\" \"db\"",
            "\"oci_core_instance\" \"_db\"",
        ),
        ("oci_core_drg.this", "oci_core_drg.router"),
        ("\"oci_core_drg\" \"this\"", "\"oci_core_drg\" \"router\""),
    ] {
        edited = edited.replace_everywhere(from, to);
    }
    let edited = edited
        .replace(
            "azure.tf",
            "\"app-${count.index}\"",
            "\"worker-${count.index}\"",
        )
        .replace(
            "azure.tf",
            "name                 = \"app\"",
            "name                 = \"Work Load_1\"",
        )
        .replace(
            "oci.tf",
            "display_name        = \"db\"",
            "display_name        = \"Ledger (blue)\"",
        )
        .replace(
            "interconnect.tf",
            "\"${var.name}-azure\"",
            "\"to the other cloud\"",
        )
        .var("name", "ledger");
    // Two blocks of one file in another order, and in another file.
    let block = "resource \"oci_core_drg\" \"router\" {\n  compartment_id = var.compartment_ocid\n  display_name   = var.name\n}\n";
    let edited = edited.replace("oci.tf", block, "").append("a.tf", block);
    let report = same_network(edited);
    let names = host_names(&report);
    assert!(
        names.contains("worker-0") && names.contains("worker-1"),
        "{names:?}"
    );
    assert_eq!(report.circuits[0].name, "ledger-oci");
}

#[test]
fn servers_for_each_of_a_set() {
    let edited = Edited::example()
        .replace(
            "azure.tf",
            "count               = var.app_count",
            "for_each            = toset([\"blue\", \"green\"])",
        )
        .replace(
            "azure.tf",
            "count                 = var.app_count",
            "for_each              = azurerm_network_interface.app",
        )
        .replace("azure.tf", "${count.index}", "${each.key}")
        .replace(
            "azure.tf",
            "azurerm_network_interface.app[count.index].id",
            "each.value.id",
        )
        .replace(
            "outputs.tf",
            "azurerm_network_interface.app[*].private_ip_address",
            "values(azurerm_network_interface.app)[*].private_ip_address",
        )
        .replace(
            "lab.sky.hcl",
            "azurerm_linux_virtual_machine.app[0]",
            "azurerm_linux_virtual_machine.app[\"blue\"]",
        );
    let report = same_network(edited);
    let names = host_names(&report);
    assert!(
        names.contains("app-blue") && names.contains("app-green"),
        "{names:?}"
    );
}

#[test]
fn servers_for_each_of_a_map_variable_with_static_addresses() {
    let edited = Edited::example()
        .replace("azure.tf", "count               = var.app_count", "for_each            = var.servers")
        .replace("azure.tf", "count                 = var.app_count", "for_each              = var.servers")
        .replace("azure.tf", "${count.index}", "${each.key}")
        .replace("azure.tf", "app[count.index].id", "app[each.key].id")
        .replace("azure.tf", "\"Standard_D2s_v5\"", "each.value.size")
        .replace("azure.tf", "\"Dynamic\"\n", "each.value.host == null ? \"Dynamic\" : \"Static\"\n    private_ip_address            = each.value.host == null ? null : cidrhost(azurerm_subnet.app.address_prefixes[0], each.value.host)\n")
        .replace("outputs.tf", "azurerm_network_interface.app[*].private_ip_address", "{ for name, nic in azurerm_network_interface.app : name => nic.private_ip_address }")
        .replace("lab.sky.hcl", "azurerm_linux_virtual_machine.app[0]", "azurerm_linux_virtual_machine.app[\"a\"]")
        .append("variables.tf", "\nvariable \"servers\" {\n  type = map(object({\n    size = optional(string, \"Standard_B2s\")\n    host = optional(number)\n  }))\n  default = {\n    a = { host = 77 }\n    b = {}\n  }\n}\n");
    let report = same_network(edited);
    let outputs = &report.summary.outputs;
    let addresses = &outputs
        .iter()
        .find(|(name, _)| name == "app_addresses")
        .unwrap()
        .1;
    assert!(addresses.contains("10.20.1.77"), "{addresses}");
}

/// The example as module `net`, called from a root with its own variables.
fn in_a_module() -> Edited {
    let source = example();
    let mut module = StackSource {
        directory: source.directory.clone(),
        ..StackSource::default()
    };
    for (name, text) in source.files {
        match name.as_str() {
            "versions.tf" => {
                let root = text.replace("local.pair.oci_region", "\"us-ashburn-1\"");
                module.files.insert("versions.tf".into(), root);
                let requirements = text.split("\nprovider ").next().unwrap().to_owned();
                module.files.insert("net/versions.tf".into(), requirements);
            }
            "lab.sky.hcl" => drop(module.files.insert(name, text)),
            _ => drop(module.files.insert(format!("net/{name}"), text)),
        }
    }
    let root = r#"
variable "tenancy_ocid" {}
variable "compartment_ocid" {}
variable "user_ocid" {}
variable "fingerprint" {}
variable "private_key_path" {}
variable "subscription_id" {}
variable "ssh_public_key" {
  type = string
}
variable "database_port" {
  default = 1521
}

module "net" {
  source           = "./net"
  name             = "payments"
  tenancy_ocid     = var.tenancy_ocid
  compartment_ocid = var.compartment_ocid
  user_ocid        = var.user_ocid
  fingerprint      = var.fingerprint
  private_key_path = var.private_key_path
  subscription_id  = var.subscription_id
  ssh_public_key   = var.ssh_public_key
  database_port    = var.database_port
}

output "addresses" {
  value = module.net.app_addresses
}
"#;
    Edited(module).append("main.tf", root)
}

#[test]
fn everything_in_a_local_module_with_its_hosts_as_outputs() {
    let hosts = "\noutput \"servers\" {\n  value = azurerm_linux_virtual_machine.app\n}\n\noutput \"database\" {\n  value = oci_core_instance.db\n}\n";
    let edited = in_a_module()
        .append("net/outputs.tf", hosts)
        .replace(
            "lab.sky.hcl",
            "azurerm_linux_virtual_machine.app",
            "module.net.servers",
        )
        .replace("lab.sky.hcl", "oci_core_instance.db", "module.net.database");
    let report = same_network(edited);
    assert_eq!(report.expectations.len(), 2);
    assert_eq!(report.summary.outputs[0].0, "addresses");
    assert!(
        report.summary.outputs[0].1.contains("10.20.1.4"),
        "{:?}",
        report.summary.outputs
    );
}

#[test]
fn a_module_without_a_lab_file_is_checked_by_its_reachability() {
    let mut edited = in_a_module();
    edited.0.files.remove("lab.sky.hcl");
    let report = same_network(edited);
    assert!(report.expectations.is_empty());
}

#[test]
fn a_module_in_a_module_with_providers_handed_on() {
    let mut edited = in_a_module();
    edited.0.files.remove("lab.sky.hcl");
    let files = std::mem::take(&mut edited.0.files);
    for (name, text) in files {
        let name = match name.strip_prefix("net/") {
            Some(name) => format!("modules/inner/{name}"),
            None => name,
        };
        edited.0.files.insert(name, text);
    }
    let alias = "    oci = {\n      source  = \"oracle/oci\"\n      version = \">= 5.0\"\n      configuration_aliases = [oci.database]\n    }\n";
    let plain = "    oci = {\n      source  = \"oracle/oci\"\n      version = \">= 5.0\"\n    }\n";
    let mut edited = edited
        .replace("main.tf", "./net\"", "./modules/inner\"\n  providers = {\n    azurerm = azurerm\n    oci.database = oci.ashburn\n  }")
        .replace("versions.tf", "provider \"oci\" {", "provider \"oci\" {\n  alias = \"ashburn\"")
        .replace("modules/inner/versions.tf", plain, alias);
    for file in ["modules/inner/oci.tf", "modules/inner/interconnect.tf"] {
        let text = edited.0.files.get_mut(file).unwrap();
        *text = (text.split_inclusive('\n'))
            .map(|line| {
                let is_oci = line.starts_with("resource \"oci_") || line.starts_with("data \"oci_");
                match is_oci {
                    true => format!("{line}  provider = oci.database\n"),
                    false => line.to_owned(),
                }
            })
            .collect();
    }
    same_network(edited);
}

#[test]
fn other_ranges() {
    let edited = Edited::example()
        .var("vnet_cidr", "192.168.0.0/16")
        .var("vcn_cidr", "172.16.0.0/20")
        .var("peering_cidr", "169.254.77.8/29");
    let report = same_network(edited);
    let addresses = &report.summary.outputs[0].1;
    assert!(addresses.contains("192.168."), "{addresses}");
}

#[test]
fn other_regions() {
    for (pair, location) in [("london", "London"), ("frankfurt", "Frankfurt")] {
        let report = same_network(Edited::example().var("pair", pair));
        assert_eq!(report.circuits[0].location, location);
        let advice: Vec<_> = (report.diagnostics.iter())
            .filter(|d| d.level == "advice")
            .collect();
        assert!(advice.is_empty(), "{advice:#?}");
    }
}

#[test]
fn every_bandwidth_that_both_clouds_offer() {
    for bandwidth in ["1000", "2000", "5000", "10000"] {
        let report = same_network(Edited::example().var("bandwidth_mbps", bandwidth));
        assert_eq!(report.circuits[0].bandwidth_mbps.to_string(), bandwidth);
    }
}

#[test]
fn values_from_json_files_and_the_environment() {
    let mut edited = Edited::example();
    let files = &mut edited.0.files;
    files.insert(
        "terraform.tfvars.json".into(),
        r#"{ "name": "from-json", "app_count": 1 }"#.into(),
    );
    files.insert(
        "z.auto.tfvars.json".into(),
        r#"{ "vnet_cidr": "10.21.0.0/16" }"#.into(),
    );
    edited
        .0
        .environment
        .insert("TF_VAR_vcn_cidr".into(), "10.41.0.0/16".into());
    edited
        .0
        .environment
        .insert("TF_VAR_app_count".into(), "9".into());
    edited = edited.var("app_count", "7");
    edited.0.arguments.push(StackArgument::File {
        path: "more.tfvars".into(),
        text: "app_count = 2\npeering_cidr = \"172.31.0.0/29\"\n".into(),
    });
    let report = same_network(edited);
    assert_eq!(report.circuits[0].name, "from-json-oci");
    assert!(
        report.summary.outputs[0].1.contains("10.21.1.4"),
        "{:?}",
        report.summary.outputs
    );
}

#[test]
fn subnets_within_their_network() {
    let inline = "  address_space       = [var.vnet_cidr]\n\n  subnet {\n    name             = \"GatewaySubnet\"\n    address_prefixes = [cidrsubnet(var.vnet_cidr, 11, 0)]\n  }\n\n  subnet {\n    name             = \"app\"\n    address_prefixes = [cidrsubnet(var.vnet_cidr, 8, 1)]\n    security_group   = azurerm_network_security_group.app.id\n  }\n\n}\n\nlocals {\n  subnets = { for s in azurerm_virtual_network.app.subnet : s.name => s.id }\n}\n";
    let edited = Edited::example()
        .without("azure.tf", "resource \"azurerm_subnet\" \"gateway\"")
        .without("azure.tf", "resource \"azurerm_subnet\" \"app\"")
        .without(
            "azure.tf",
            "resource \"azurerm_subnet_network_security_group_association\"",
        )
        .replace(
            "azure.tf",
            "  address_space       = [var.vnet_cidr]\n}\n",
            inline,
        )
        .replace_everywhere("azurerm_subnet.app.id", "local.subnets[\"app\"]")
        .replace_everywhere(
            "azurerm_subnet.gateway.id",
            "local.subnets[\"GatewaySubnet\"]",
        );
    same_network(edited);
}

#[test]
fn rules_of_their_own_in_azure_and_in_the_security_list_in_oci() {
    let rule = "resource \"azurerm_network_security_rule\" \"database\" {\n  resource_group_name         = azurerm_resource_group.this.name\n  network_security_group_name = azurerm_network_security_group.app.name\n";
    let azure = Edited::example();
    let text = &azure.0.files["azure.tf"];
    let start = text.find("\n  security_rule {").unwrap();
    let end = start + text[start..].find("\n  }\n").unwrap() + 5;
    let body: String = text[start..end]
        .lines()
        .filter(|line| line.contains(" = "))
        .map(|line| format!("  {}\n", line.trim()))
        .collect();
    let inline = text[start..end].to_owned();
    let edited = azure
        .replace("azure.tf", &inline, "")
        .append("azure.tf", &format!("\n{rule}{body}}}\n"))
        .without("oci.tf", "resource \"oci_core_network_security_group_security_rule\" \"database\"")
        .replace("oci.tf", "  # Ping, for whoever looks for a fault.", "  ingress_security_rules {\n    protocol = \"6\"\n    source   = var.vnet_cidr\n\n    tcp_options {\n      min = var.database_port\n      max = var.database_port\n    }\n  }\n");
    let mut lab = Virtual::new();
    let report = lab.up(vec![edited.0]);
    let bad = complaints(&report);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_works(&report, 4, 4);
}

#[test]
fn spellings_of_azurerm_3() {
    let edited = Edited::example()
        .replace("versions.tf", "~> 4.0", "~> 3.90")
        .replace("versions.tf", "  subscription_id = var.subscription_id\n", "")
        .append("azure.tf", "\nresource \"azurerm_route_table\" \"app\" {\n  name                          = \"app\"\n  resource_group_name           = azurerm_resource_group.this.name\n  location                      = azurerm_resource_group.this.location\n  disable_bgp_route_propagation = false\n}\n\nresource \"azurerm_subnet_route_table_association\" \"app\" {\n  subnet_id      = azurerm_subnet.app.id\n  route_table_id = azurerm_route_table.app.id\n}\n");
    let mut lab = Virtual::new();
    let report = lab.up(vec![edited.0]);
    let bad = complaints(&report);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_works(&report, 4, 4);
}

#[test]
fn a_route_table_that_refuses_learned_routes_is_a_black_hole_in_both_spellings() {
    for (version, spelling) in [
        ("~> 3.90", "disable_bgp_route_propagation = true"),
        ("~> 4.0", "bgp_route_propagation_enabled = false"),
    ] {
        let edited = Edited::example()
            .replace("versions.tf", "~> 4.0", version)
            .append("azure.tf", &format!("\nresource \"azurerm_route_table\" \"app\" {{\n  name                = \"app\"\n  resource_group_name = azurerm_resource_group.this.name\n  location            = azurerm_resource_group.this.location\n  {spelling}\n}}\n\nresource \"azurerm_subnet_route_table_association\" \"app\" {{\n  subnet_id      = azurerm_subnet.app.id\n  route_table_id = azurerm_route_table.app.id\n}}\n"));
        let mut lab = Virtual::new();
        let report = lab.up_with(skybridge_lab::request::UpRequest {
            stacks: vec![edited.0],
            force: true,
            skip_simulation: true,
        });
        assert_eq!(report.sessions.len(), 4, "{:#?}", report.diagnostics);
        let rows: Vec<_> = (report.reachability.iter())
            .filter(|r| r.from.starts_with("app"))
            .collect();
        assert_eq!(rows.len(), 2);
        for row in rows {
            assert_eq!(
                row.ok,
                skybridge_lab::document::Verdict::Fails,
                "{spelling}: {row:?}"
            );
        }
    }
}

#[test]
fn spellings_of_the_oci_provider() {
    let edited = Edited::example()
        .replace(
            "oci.tf",
            "cidr_blocks    = [var.vcn_cidr]",
            "cidr_block     = var.vcn_cidr",
        )
        .replace_block(
            "oci.tf",
            "  display_name = \"db\"\n\n  network_details {",
            "  }\n",
            "  vcn_id       = oci_core_vcn.db.id\n  display_name = \"db\"\n",
        );
    same_network(edited);
}

#[test]
fn the_old_way_to_route_in_oci() {
    let edited = Edited::example()
        .replace("oci.tf", "    destination       = one(azurerm_virtual_network.app.address_space)\n    destination_type  = \"CIDR_BLOCK\"\n", "    cidr_block        = var.vnet_cidr\n");
    same_network(edited);
}

#[test]
fn a_route_table_attached_by_itself() {
    let edited = Edited::example()
        .replace("oci.tf", "  route_table_id             = oci_core_route_table.db.id\n", "")
        .append("oci.tf", "\nresource \"oci_core_route_table_attachment\" \"db\" {\n  subnet_id      = oci_core_subnet.db.id\n  route_table_id = oci_core_route_table.db.id\n}\n");
    let mut lab = Virtual::new();
    let report = lab.up(vec![edited.0]);
    let bad = complaints(&report);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_works(&report, 4, 4);
}

#[test]
fn two_interconnects_in_one_directory() {
    let mut two = in_a_module()
        .replace("main.tf", "module \"net\"", "module \"a\"")
        .replace("main.tf", "module.net", "module.a")
        .append("net/outputs.tf", "\noutput \"servers\" {\n  value = azurerm_linux_virtual_machine.app\n}\n\noutput \"database\" {\n  value = oci_core_instance.db\n}\n");
    let root = &two.0.files["main.tf"];
    let start = root.find("module \"a\"").unwrap();
    let end = start + root[start..].find("\n}\n").unwrap() + 3;
    let second = root[start..end]
        .replace("module \"a\"", "module \"b\"")
        .replace("\"payments\"", "\"ledger\"\n  pair = \"ashburn\"\n  vnet_cidr = \"10.22.0.0/16\"\n  vcn_cidr = \"10.42.0.0/16\"\n  peering_cidr = \"172.30.254.0/29\"");
    two = two.append("main.tf", &format!("\n{second}"));
    let edited = two
        .replace("lab.sky.hcl", "azurerm_linux_virtual_machine.app", "module.a.servers")
        .replace("lab.sky.hcl", "oci_core_instance.db", "module.a.database")
        .append("lab.sky.hcl", "\nexpect \"nothing crosses\" {\n  from      = module.a.servers\n  to        = module.b.database\n  tcp       = 1521\n  reachable = false\n}\n\nexpect \"the other pair works\" {\n  from = module.b.servers\n  to   = module.b.database\n  tcp  = 1521\n}\n");
    let mut lab = Virtual::new();
    let report = lab.up(vec![edited.0]);
    let bad = complaints(&report);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(report.sessions.len(), 8);
    assert!(report.sessions.iter().all(|s| s.state == "Established"));
    assert_eq!(report.expectations.len(), 4);
    for row in &report.expectations {
        assert_eq!(
            row.holds,
            skybridge_lab::document::Verdict::Holds,
            "{row:?}"
        );
    }
    // Within each pair everything answers, and between them nothing.
    let reached: Vec<_> = (report.reachability.iter())
        .filter(|r| r.ok == skybridge_lab::document::Verdict::Holds)
        .collect();
    assert_eq!(reached.len(), 8, "{reached:#?}");
}

#[test]
fn two_stacks_with_the_same_ranges_do_not_meet() {
    let first = Edited::example();
    let mut second = Edited::example().var("name", "ledger");
    second.0.directory = "/elsewhere".to_owned();
    let mut lab = Virtual::new();
    let report = lab.up(vec![first.0, second.0]);
    let bad = complaints(&report);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(report.sessions.len(), 8);
    assert!(report.sessions.iter().all(|s| s.state == "Established"));
    assert_eq!(report.expectations.len(), 4);
    for row in &report.expectations {
        assert_eq!(
            row.holds,
            skybridge_lab::document::Verdict::Holds,
            "{row:?}"
        );
    }
}

#[test]
fn more_checks_than_may_be_under_way_at_once_are_all_decided_where_links_have_delay() {
    let edited = Edited::example()
        .var("app_count", "60")
        .append(
            "lab.sky.hcl",
            "\nlink \"far\" {\n  circuit = azurerm_express_route_circuit.this\n  delay   = \"5ms\"\n}\n\nhost \"probe\" {\n  subnet = oci_core_subnet.db\n}\n\nhost \"second\" {\n  subnet = oci_core_subnet.db\n}\n\nhost \"third\" {\n  subnet = oci_core_subnet.db\n}\n\nhost \"fourth\" {\n  subnet = oci_core_subnet.db\n}\n",
        );
    let mut lab = Virtual::new();
    let report = lab.up(vec![edited.0]);
    assert_eq!(
        report.reachability.len(),
        2 * 60 * 5,
        "{:#?}",
        report.diagnostics
    );
    for row in &report.reachability {
        assert!(row.rtt_us.is_none_or(|rtt| rtt >= 10_000), "{row:?}");
    }
}
