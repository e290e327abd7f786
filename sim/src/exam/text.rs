//! An estate as Terraform and a lab file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::estate::{Estate, Group, Lists};

const INFALLIBLE: &str = "writing to a String cannot fail";
/// A compartment that nobody has.
const COMPARTMENT: &str = "ocid1.compartment.oc1..exam";
/// The SKU of every gateway.
pub(super) const GATEWAY_SKU: &str = "ErGw1AZ";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExam exam";

macro_rules! put {
    ($out:expr, $($arg:tt)*) => { writeln!($out, $($arg)*).expect(INFALLIBLE) };
}

impl Estate {
    /// The directory.
    pub(super) fn files(&self) -> BTreeMap<String, String> {
        let mut azure = String::new();
        self.azure_head(&mut azure);
        for number in 0..self.vnets.len() {
            self.vnet(&mut azure, number);
        }
        let mut oci = String::new();
        self.oci_head(&mut oci);
        for number in 0..self.vcns.len() {
            self.vcn(&mut oci, number);
        }
        let mut joins = String::new();
        for number in 0..self.circuits {
            self.join(&mut joins, number);
        }
        [
            ("azure.tf", azure),
            ("oci.tf", oci),
            ("interconnect.tf", joins),
            ("lab.sky.hcl", self.lab()),
        ]
        .map(|(name, text)| (name.to_owned(), text))
        .into()
    }

    fn azure_head(&self, out: &mut String) {
        put!(out, "provider \"azurerm\" {{\n  features {{}}\n}}\n");
        put!(out, "resource \"azurerm_resource_group\" \"rg\" {{");
        put!(
            out,
            "  name     = \"{}\"\n  location = \"{}\"\n}}\n",
            self.name,
            self.pair.0
        );
    }

    fn vnet(&self, out: &mut String, n: usize) {
        let range = &self.vnets[n];
        put!(
            out,
            "resource \"azurerm_virtual_network\" \"v{n}\" {{\n{}  address_space       = [\"{range}.0.0/16\"]\n}}\n",
            common(&format!("{}-vnet-{n}", self.name))
        );
        for (label, name, prefix) in [("gw", "GatewaySubnet", "0.0/27"), ("app", "app", "1.0/24")] {
            put!(
                out,
                "resource \"azurerm_subnet\" \"{label}{n}\" {{\n  name                 = \"{name}\"\n  resource_group_name  = azurerm_resource_group.rg.name\n  virtual_network_name = azurerm_virtual_network.v{n}.name\n  address_prefixes     = [\"{range}.{prefix}\"]\n}}\n"
            );
        }
        for host in 0..self.app_hosts {
            machine(out, &self.name, n, host);
        }
        put!(
            out,
            "resource \"azurerm_public_ip\" \"g{n}\" {{\n{}  allocation_method   = \"Static\"\n  sku                 = \"Standard\"\n}}\n",
            common(&format!("{}-pip-{n}", self.name))
        );
        put!(
            out,
            "resource \"azurerm_virtual_network_gateway\" \"g{n}\" {{\n{}  type                = \"ExpressRoute\"\n  sku                 = \"{GATEWAY_SKU}\"\n\n  ip_configuration {{\n    name                          = \"default\"\n    public_ip_address_id          = azurerm_public_ip.g{n}.id\n    private_ip_address_allocation = \"Dynamic\"\n    subnet_id                     = azurerm_subnet.gw{n}.id\n  }}\n}}\n",
            common(&format!("{}-gw-{n}", self.name))
        );
        if n == 0 {
            self.group(out);
            self.user_routes(out);
        }
    }

    /// The security group of the first network's machines.
    fn group(&self, out: &mut String) {
        let denies = self.wrong.nsg_denies;
        let place = match self.group {
            Group::None if !denies => return,
            Group::None | Group::Subnet => Group::Subnet,
            Group::Card => Group::Card,
        };
        let (direction, port) = if self.towards_oci {
            ("Outbound", self.port)
        } else {
            ("Inbound", self.port)
        };
        put!(
            out,
            "resource \"azurerm_network_security_group\" \"app\" {{\n{}",
            common(&format!("{}-nsg", self.name))
        );
        let protocol = if self.tcp.is_some() { "Tcp" } else { "*" };
        let ports = if self.tcp.is_some() {
            port.to_string()
        } else {
            "*".to_owned()
        };
        let access = if denies { "Deny" } else { "Allow" };
        rule(out, "asked", 300, direction, access, (protocol, &ports));
        for noise in 0..self.noise_rules {
            let port = (9500 + noise).to_string();
            rule(
                out,
                &format!("noise-{noise}"),
                100 + noise,
                "Inbound",
                "Deny",
                ("Tcp", &port),
            );
        }
        put!(out, "}}\n");
        match place {
            Group::Card => put!(
                out,
                "resource \"azurerm_network_interface_security_group_association\" \"app\" {{\n  network_interface_id      = azurerm_network_interface.h0_0.id\n  network_security_group_id = azurerm_network_security_group.app.id\n}}\n"
            ),
            Group::None | Group::Subnet => put!(
                out,
                "resource \"azurerm_subnet_network_security_group_association\" \"app\" {{\n  subnet_id                 = azurerm_subnet.app0.id\n  network_security_group_id = azurerm_network_security_group.app.id\n}}\n"
            ),
        }
    }

    fn user_routes(&self, out: &mut String) {
        let wrong = &self.wrong;
        if !wrong.route_none && !wrong.propagation_off {
            return;
        }
        put!(
            out,
            "resource \"azurerm_route_table\" \"app\" {{\n{}  bgp_route_propagation_enabled = {}\n",
            common(&format!("{}-rt", self.name)),
            !wrong.propagation_off
        );
        if wrong.route_none {
            put!(
                out,
                "\n  route {{\n    name           = \"away\"\n    address_prefix = \"{}.0.0/16\"\n    next_hop_type  = \"None\"\n  }}",
                self.vcn_range(0)
            );
            // As specific as what the circuit announces, so that it wins.
            for subnet in 0..self.vcn_subnets {
                put!(
                    out,
                    "\n  route {{\n    name           = \"away-{subnet}\"\n    address_prefix = \"{}.{subnet}.0/24\"\n    next_hop_type  = \"None\"\n  }}",
                    self.vcn_range(0)
                );
            }
        }
        put!(
            out,
            "}}\n\nresource \"azurerm_subnet_route_table_association\" \"app\" {{\n  subnet_id      = azurerm_subnet.app0.id\n  route_table_id = azurerm_route_table.app.id\n}}\n"
        );
    }

    fn oci_head(&self, out: &mut String) {
        put!(
            out,
            "provider \"oci\" {{\n  region = \"{}\"\n}}\n",
            self.pair.2
        );
        put!(
            out,
            "data \"oci_identity_availability_domains\" \"this\" {{\n  compartment_id = \"{COMPARTMENT}\"\n}}\n"
        );
        put!(
            out,
            "data \"oci_core_images\" \"linux\" {{\n  compartment_id           = \"{COMPARTMENT}\"\n  operating_system         = \"Oracle Linux\"\n  operating_system_version = \"9\"\n}}\n"
        );
        put!(
            out,
            "data \"oci_core_fast_connect_provider_services\" \"this\" {{\n  compartment_id = \"{COMPARTMENT}\"\n}}\n"
        );
        put!(
            out,
            "locals {{\n  microsoft = one([\n    for service in data.oci_core_fast_connect_provider_services.this.fast_connect_provider_services :\n    service.id if service.provider_name == \"Microsoft Azure\"\n  ])\n}}\n"
        );
        put!(
            out,
            "resource \"oci_core_drg\" \"drg\" {{\n  compartment_id = \"{COMPARTMENT}\"\n  display_name   = \"{}-drg\"\n}}\n",
            self.name
        );
    }

    fn vcn(&self, out: &mut String, n: usize) {
        let (name, range) = (&self.name, self.vcn_range(n));
        put!(
            out,
            "resource \"oci_core_vcn\" \"c{n}\" {{\n  compartment_id = \"{COMPARTMENT}\"\n  cidr_blocks    = [\"{range}.0.0/16\"]\n  display_name   = \"{name}-vcn-{n}\"\n  dns_label      = \"vcn{n}\"\n}}\n"
        );
        put!(
            out,
            "resource \"oci_core_route_table\" \"c{n}\" {{\n  compartment_id = \"{COMPARTMENT}\"\n  vcn_id         = oci_core_vcn.c{n}.id\n  display_name   = \"{name}-rt-{n}\"\n"
        );
        for (at, vnet) in self.vnets.iter().enumerate() {
            // What is asked about leads nowhere when its rule lacks.
            if !(n == 0 && at == 0 && self.wrong.vcn_route_lacks) {
                put!(
                    out,
                    "  route_rules {{\n    destination       = \"{vnet}.0.0/16\"\n    destination_type  = \"CIDR_BLOCK\"\n    network_entity_id = oci_core_drg.drg.id\n  }}"
                );
            }
        }
        put!(out, "}}\n");
        self.security_list(out, n);
        let subnets = if n == 0 { self.vcn_subnets } else { 1 };
        for subnet in 0..subnets {
            put!(
                out,
                "resource \"oci_core_subnet\" \"c{n}_{subnet}\" {{\n  compartment_id             = \"{COMPARTMENT}\"\n  vcn_id                     = oci_core_vcn.c{n}.id\n  cidr_block                 = \"{range}.{subnet}.0/24\"\n  display_name               = \"{name}-sub-{n}-{subnet}\"\n  dns_label                  = \"s{n}x{subnet}\"\n  prohibit_public_ip_on_vnic = true\n  route_table_id             = oci_core_route_table.c{n}.id\n  security_list_ids          = [oci_core_security_list.c{n}.id]\n}}\n"
            );
        }
        let groups = if n == 0 && self.lists == Lists::Group {
            "[oci_core_network_security_group.db.id]"
        } else {
            "[]"
        };
        put!(
            out,
            "resource \"oci_core_instance\" \"d{n}\" {{\n  compartment_id      = \"{COMPARTMENT}\"\n  availability_domain = data.oci_identity_availability_domains.this.availability_domains[0].name\n  display_name        = \"{name}-db-{n}\"\n  shape               = \"VM.Standard.E5.Flex\"\n\n  shape_config {{\n    ocpus         = 2\n    memory_in_gbs = 32\n  }}\n\n  create_vnic_details {{\n    subnet_id        = oci_core_subnet.c{n}_0.id\n    assign_public_ip = false\n    nsg_ids          = {groups}\n  }}\n\n  source_details {{\n    source_type = \"image\"\n    source_id   = data.oci_core_images.linux.images[0].id\n  }}\n}}\n"
        );
        self.attachment(out, n);
    }

    fn attachment(&self, out: &mut String, n: usize) {
        let table = if n == 0 && self.wrong.import_lacks {
            put!(
                out,
                "resource \"oci_core_drg_route_distribution\" \"own\" {{\n  drg_id            = oci_core_drg.drg.id\n  distribution_type = \"IMPORT\"\n  display_name      = \"{}-own\"\n}}\n",
                self.name
            );
            put!(
                out,
                "resource \"oci_core_drg_route_distribution_statement\" \"own\" {{\n  drg_route_distribution_id = oci_core_drg_route_distribution.own.id\n  action                    = \"ACCEPT\"\n  priority                  = 1\n\n  match_criteria {{\n    match_type      = \"DRG_ATTACHMENT_TYPE\"\n    attachment_type = \"VCN\"\n  }}\n}}\n"
            );
            put!(
                out,
                "resource \"oci_core_drg_route_table\" \"own\" {{\n  drg_id                           = oci_core_drg.drg.id\n  display_name                     = \"{}-own\"\n  import_drg_route_distribution_id = oci_core_drg_route_distribution.own.id\n}}\n",
                self.name
            );
            "  drg_route_table_id = oci_core_drg_route_table.own.id\n"
        } else {
            ""
        };
        put!(
            out,
            "resource \"oci_core_drg_attachment\" \"c{n}\" {{\n  drg_id       = oci_core_drg.drg.id\n  display_name = \"{}-att-{n}\"\n{table}\n  network_details {{\n    id   = oci_core_vcn.c{n}.id\n    type = \"VCN\"\n  }}\n}}\n",
            self.name
        );
    }

    fn security_list(&self, out: &mut String, n: usize) {
        let first = n == 0;
        let azure = format!("{}.0.0/16", self.vnets[0]);
        let lacks = first && self.wrong.list_lacks;
        let stateless = first && self.wrong.return_lacks;
        put!(
            out,
            "resource \"oci_core_security_list\" \"c{n}\" {{\n  compartment_id = \"{COMPARTMENT}\"\n  vcn_id         = oci_core_vcn.c{n}.id\n  display_name   = \"{}-sl-{n}\"\n",
            self.name
        );
        // Out: everything, or only what is asked about; nothing that helps where the rule lacks.
        let asks_out = first && !self.towards_oci;
        let narrow = first && (self.narrow_egress || stateless || lacks && asks_out);
        if !narrow {
            put!(
                out,
                "  egress_security_rules {{\n    protocol    = \"all\"\n    destination = \"0.0.0.0/0\"\n  }}"
            );
        } else if asks_out && !lacks {
            put!(
                out,
                "  egress_security_rules {{\n    protocol    = \"{}\"\n    destination = \"{azure}\"\n    stateless   = {stateless}\n  }}",
                self.protocol()
            );
        }
        if !first || self.tcp.is_none() && !lacks && self.towards_oci && !stateless {
            put!(
                out,
                "  ingress_security_rules {{\n    protocol = \"1\"\n    source   = \"0.0.0.0/0\"\n  }}"
            );
        }
        let opens = first && self.towards_oci && !lacks;
        if opens && self.lists == Lists::List {
            put!(
                out,
                "  ingress_security_rules {{\n    protocol  = \"{}\"\n    source    = \"{azure}\"\n    stateless = {stateless}\n  }}",
                self.protocol()
            );
        }
        put!(out, "}}\n");
        if first && self.lists == Lists::Group {
            put!(
                out,
                "resource \"oci_core_network_security_group\" \"db\" {{\n  compartment_id = \"{COMPARTMENT}\"\n  vcn_id         = oci_core_vcn.c0.id\n  display_name   = \"{}-nsg-db\"\n}}\n",
                self.name
            );
            if opens {
                put!(
                    out,
                    "resource \"oci_core_network_security_group_security_rule\" \"db\" {{\n  network_security_group_id = oci_core_network_security_group.db.id\n  direction                 = \"INGRESS\"\n  protocol                  = \"{}\"\n  source                    = \"{azure}\"\n  source_type               = \"CIDR_BLOCK\"\n  stateless                 = {stateless}\n}}\n",
                    self.protocol()
                );
            }
        }
    }

    /// IP protocol number of what is asked about.
    const fn protocol(&self) -> &'static str {
        if self.tcp.is_some() { "6" } else { "1" }
    }

    fn join(&self, out: &mut String, n: usize) {
        let circuit = self.circuit(n);
        put!(
            out,
            "resource \"azurerm_express_route_circuit\" \"e{n}\" {{\n{}  service_provider_name = \"Oracle Cloud FastConnect\"\n  peering_location      = \"{}\"\n  bandwidth_in_mbps     = {}\n\n  sku {{\n    tier   = \"Standard\"\n    family = \"MeteredData\"\n  }}\n}}\n",
            common(&circuit),
            self.pair.1,
            self.bandwidth
        );
        put!(
            out,
            "resource \"oci_core_virtual_circuit\" \"x{n}\" {{\n  compartment_id            = \"{COMPARTMENT}\"\n  display_name              = \"{}-vc-{n}\"\n  type                      = \"PRIVATE\"\n  bandwidth_shape_name      = \"{} Gbps\"\n  gateway_id                = oci_core_drg.drg.id\n  provider_service_id       = local.microsoft\n  provider_service_key_name = azurerm_express_route_circuit.e{n}.service_key\n  is_bfd_enabled            = {}\n",
            self.name,
            self.bandwidth / 1000,
            self.bfd
        );
        for base in [0, 4] {
            let net = &self.peerings[n];
            put!(
                out,
                "  cross_connect_mappings {{\n    oracle_bgp_peering_ip   = \"{net}.{}/30\"\n    customer_bgp_peering_ip = \"{net}.{}/30\"\n  }}",
                base + 1,
                base + 2
            );
        }
        put!(out, "}}\n");
        for vnet in 0..self.vnets.len() {
            // The second circuit is the first network's second way.
            if n == 1 && vnet > 0 {
                continue;
            }
            put!(
                out,
                "resource \"azurerm_virtual_network_gateway_connection\" \"j{n}_{vnet}\" {{\n{}  type                       = \"ExpressRoute\"\n  virtual_network_gateway_id = azurerm_virtual_network_gateway.g{vnet}.id\n  express_route_circuit_id   = azurerm_express_route_circuit.e{n}.id\n\n  depends_on = [oci_core_virtual_circuit.x{n}]\n}}\n",
                common(&format!("{}-con-{n}-{vnet}", self.name))
            );
        }
    }

    fn lab(&self) -> String {
        let mut out = String::new();
        if !self.wrong.no_listener {
            let host = if self.towards_oci {
                "oci_core_instance.d0"
            } else {
                "azurerm_linux_virtual_machine.h0_0"
            };
            put!(
                out,
                "service \"asked\" {{\n  host = {host}\n  tcp  = {}\n}}\n",
                self.port
            );
        }
        if let Some((percent, legs)) = self.wrong.loss {
            for (path, _) in ["primary", "secondary"]
                .iter()
                .zip(legs)
                .filter(|(_, lossy)| *lossy)
            {
                for circuit in 0..self.circuits {
                    put!(
                        out,
                        "link \"lossy-{circuit}-{path}\" {{\n  circuit = azurerm_express_route_circuit.e{circuit}\n  path    = \"{path}\"\n  loss    = \"{percent}%\"\n}}\n"
                    );
                }
            }
        }
        if self.wrong.too_many_prefixes {
            put!(
                out,
                "limits {{\n  azure_routes_in_private_v4 = {}\n}}\n",
                self.vcn_subnets.saturating_sub(1).max(1)
            );
        }
        out
    }
}

fn rule(
    out: &mut String,
    name: &str,
    priority: u64,
    direction: &str,
    access: &str,
    (protocol, ports): (&str, &str),
) {
    put!(
        out,
        "  security_rule {{\n    name                       = \"{name}\"\n    priority                   = {priority}\n    direction                  = \"{direction}\"\n    access                     = \"{access}\"\n    protocol                   = \"{protocol}\"\n    source_port_range          = \"*\"\n    destination_port_range     = \"{ports}\"\n    source_address_prefix      = \"*\"\n    destination_address_prefix = \"*\"\n  }}\n"
    );
}

/// A machine with its card in the subnet `app{n}`.
pub(super) fn machine(out: &mut String, name: &str, n: usize, host: u64) {
    let label = format!("h{n}_{host}");
    put!(
        out,
        "resource \"azurerm_network_interface\" \"{label}\" {{\n{}\n  ip_configuration {{\n    name                          = \"internal\"\n    subnet_id                     = azurerm_subnet.app{n}.id\n    private_ip_address_allocation = \"Dynamic\"\n  }}\n}}\n",
        common(&format!("{name}-nic-{n}-{host}"))
    );
    put!(
        out,
        "resource \"azurerm_linux_virtual_machine\" \"{label}\" {{\n{}  size                = \"Standard_D2s_v5\"\n  admin_username      = \"azureuser\"\n  network_interface_ids = [azurerm_network_interface.{label}.id]\n\n  admin_ssh_key {{\n    username   = \"azureuser\"\n    public_key = \"{KEY}\"\n  }}\n\n  os_disk {{\n    caching              = \"ReadWrite\"\n    storage_account_type = \"Premium_LRS\"\n  }}\n\n  source_image_reference {{\n    publisher = \"Canonical\"\n    offer     = \"ubuntu-24_04-lts\"\n    sku       = \"server\"\n    version   = \"latest\"\n  }}\n}}\n",
        common(&format!("{name}-app-{n}-{host}"))
    );
}

/// Name, group and location of an Azure resource.
pub(super) fn common(name: &str) -> String {
    format!(
        "  name                = \"{name}\"\n  resource_group_name = azurerm_resource_group.rg.name\n  \
             location            = azurerm_resource_group.rg.location\n"
    )
}
