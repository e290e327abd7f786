//! Estates with a site: customer edge routers, a carrier, a circuit of an ordinary provider, a peering
//! configured by hand, and what goes wrong there.

use std::collections::BTreeMap;

use skybridge_base::Rng;
use skybridge_blueprint::Role;
use skybridge_lab::request::{CutMode, Provider, Request};

use super::driver::Driver;
use super::estate::{PAIRS, random_name};
use super::fault::{cut, named, told};
use super::text::{GATEWAY_SKU, common, machine};

/// Providers of the pairs' locations.
const PROVIDER: &str = "Equinix";

/// What can be broken at a site or on the way to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum SiteKind {
    CarrierStripsTag,
    CarrierWrongSTag,
    CarrierWrongCTag,
    CarrierNarrow,
    CarrierLoses,
    CarrierSilent,
    CarrierDeafCustomer,
    CarrierDeafCloud,
    CarrierSwitchDown,
    CustomerEdgeDown,
    WrongKey,
    WrongPeerAsn,
    SessionShutAtCustomerEdge,
    SiteCircuitDeprovisioned,
    SiteHostDown,
}

/// Every kind, in the order in which seeds take them.
pub(super) const SITE_FAULTS: &[SiteKind] = &[
    SiteKind::CarrierStripsTag,
    SiteKind::CarrierWrongSTag,
    SiteKind::CarrierWrongCTag,
    SiteKind::CarrierNarrow,
    SiteKind::CarrierLoses,
    SiteKind::CarrierSilent,
    SiteKind::CarrierDeafCustomer,
    SiteKind::CarrierDeafCloud,
    SiteKind::CarrierSwitchDown,
    SiteKind::CustomerEdgeDown,
    SiteKind::WrongKey,
    SiteKind::WrongPeerAsn,
    SiteKind::SessionShutAtCustomerEdge,
    SiteKind::SiteCircuitDeprovisioned,
    SiteKind::SiteHostDown,
];

/// Of these, what leaves the other path whole when it strikes one.
const REDUNDANT: [SiteKind; 8] = [
    SiteKind::CarrierStripsTag,
    SiteKind::CarrierWrongSTag,
    SiteKind::CarrierWrongCTag,
    SiteKind::CarrierSilent,
    SiteKind::CarrierDeafCustomer,
    SiteKind::CarrierDeafCloud,
    SiteKind::CustomerEdgeDown,
    SiteKind::SessionShutAtCustomerEdge,
];

impl SiteKind {
    /// It is what the provider does, whatever stands at its customer's end.
    pub(super) const fn is_of_provider(self) -> bool {
        match self {
            Self::CarrierStripsTag
            | Self::CarrierWrongSTag
            | Self::CarrierWrongCTag
            | Self::CarrierNarrow
            | Self::CarrierLoses
            | Self::CarrierSilent
            | Self::CarrierDeafCustomer
            | Self::CarrierDeafCloud
            | Self::CarrierSwitchDown
            | Self::SiteCircuitDeprovisioned => true,
            Self::CustomerEdgeDown
            | Self::WrongKey
            | Self::WrongPeerAsn
            | Self::SessionShutAtCustomerEdge
            | Self::SiteHostDown => false,
        }
    }
}

/// A fault with its particulars.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SiteFault {
    pub(super) kind: SiteKind,
    pub(super) legs: [bool; 2],
    number: u64,
    silent: bool,
}

impl SiteFault {
    pub(super) fn choose(kind: SiteKind, rng: &mut Rng) -> Self {
        let legs = [[true, false], [false, true], [true, true]];
        Self {
            kind,
            legs: *rng.choose(&legs).unwrap_or(&[true, true]),
            number: rng.below(1000),
            silent: rng.below(2) == 0,
        }
    }

    pub(super) fn redundant(rng: &mut Rng) -> Self {
        let kind = *rng.choose(&REDUNDANT).unwrap_or(&REDUNDANT[0]);
        let primary = rng.below(2) == 0;
        Self {
            legs: [primary, !primary],
            ..Self::choose(kind, rng)
        }
    }

    pub(super) const fn truth(&self) -> (&'static str, &'static str) {
        match self.kind {
            SiteKind::CarrierStripsTag
            | SiteKind::CarrierWrongSTag
            | SiteKind::CarrierWrongCTag => ("tags", "provider"),
            SiteKind::CarrierNarrow => ("mtu", "provider"),
            SiteKind::CarrierLoses => ("loss", "provider"),
            SiteKind::CarrierSilent
            | SiteKind::CarrierDeafCustomer
            | SiteKind::CarrierDeafCloud => ("link", "provider"),
            SiteKind::CarrierSwitchDown => ("device", "provider"),
            SiteKind::CustomerEdgeDown => ("device", "you"),
            SiteKind::WrongKey | SiteKind::WrongPeerAsn | SiteKind::SessionShutAtCustomerEdge => {
                ("bgp", "you")
            }
            SiteKind::SiteCircuitDeprovisioned => ("provider", "provider"),
            SiteKind::SiteHostDown => ("host", "you"),
        }
    }

    pub(super) const fn is_total(&self) -> bool {
        matches!(
            self.kind,
            SiteKind::WrongPeerAsn | SiteKind::SiteCircuitDeprovisioned | SiteKind::SiteHostDown
        )
    }

    /// What the provider is told to do wrong.
    fn order(&self) -> Option<String> {
        Some(match self.kind {
            SiteKind::CarrierStripsTag => "strip-tag".to_owned(),
            SiteKind::CarrierWrongSTag => "wrong-s-tag".to_owned(),
            SiteKind::CarrierWrongCTag => format!("wrong-c-tag={}", 3000 + self.number),
            SiteKind::CarrierNarrow => format!("mtu={}", 600 + self.number % 800),
            SiteKind::CarrierLoses => format!("loss={}", 10 + self.number % 50),
            SiteKind::CarrierSilent => "silent".to_owned(),
            SiteKind::CarrierDeafCustomer => "one-way=customer".to_owned(),
            SiteKind::CarrierDeafCloud => "one-way=cloud".to_owned(),
            SiteKind::CarrierSwitchDown
            | SiteKind::CustomerEdgeDown
            | SiteKind::WrongKey
            | SiteKind::WrongPeerAsn
            | SiteKind::SessionShutAtCustomerEdge
            | SiteKind::SiteCircuitDeprovisioned
            | SiteKind::SiteHostDown => return None,
        })
    }

    pub(super) fn inject(&self, driver: &mut Driver, site: &Premises) {
        let paths = || {
            ["primary", "secondary"]
                .into_iter()
                .zip(self.legs)
                .filter(|(_, on)| *on)
        };
        let mode = if self.silent {
            CutMode::Silent
        } else {
            CutMode::LinkDown
        };
        if let Some(value) = self.order() {
            for (path, _) in paths() {
                let order = Provider::Set {
                    key: format!("{}/{path}", site.name),
                    name: "fault".to_owned(),
                    value: value.clone(),
                };
                told(driver, Request::Provider(order));
            }
            return;
        }
        match self.kind {
            SiteKind::CarrierSwitchDown => self.nodes(driver, Role::ProviderEdge, mode),
            SiteKind::CustomerEdgeDown => self.nodes(driver, Role::CustomerEdge, mode),
            SiteKind::SessionShutAtCustomerEdge => {
                for (node, on) in named(driver, Role::CustomerEdge).into_iter().zip(self.legs) {
                    if on {
                        cut(driver, format!("{node}/bgp/msee"), CutMode::Session, None);
                    }
                }
            }
            SiteKind::SiteCircuitDeprovisioned => {
                let key = site.name.clone();
                told(driver, Request::Provider(Provider::Deprovision { key }));
            }
            SiteKind::SiteHostDown => cut(driver, site.question().1, mode, None),
            SiteKind::CarrierStripsTag
            | SiteKind::CarrierWrongSTag
            | SiteKind::CarrierWrongCTag
            | SiteKind::CarrierNarrow
            | SiteKind::CarrierLoses
            | SiteKind::CarrierSilent
            | SiteKind::CarrierDeafCustomer
            | SiteKind::CarrierDeafCloud
            | SiteKind::WrongKey
            | SiteKind::WrongPeerAsn => {}
        }
    }

    /// The first of a role is on the primary path.
    fn nodes(&self, driver: &mut Driver, role: Role, mode: CutMode) {
        for (node, on) in named(driver, role).into_iter().zip(self.legs) {
            if on {
                cut(driver, node, mode, None);
            }
        }
    }
}

/// A site, a circuit, a virtual network.
#[derive(Clone, Debug)]
pub(super) struct Premises {
    name: String,
    pair: (&'static str, &'static str, &'static str),
    vnet: u64,
    lan: u64,
    peering: String,
    asn: u64,
    vlan: u64,
    key: bool,
    bfd: bool,
    trunk: bool,
    networks: u64,
    towards_site: bool,
    port: u64,
    pub(super) tcp: Option<u16>,
    wrong_key: [bool; 2],
    wrong_asn: bool,
    /// The routers are the user's own.
    attached: bool,
}

impl Premises {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let port = 1024 + rng.below(8000);
        Self {
            name: random_name(rng),
            pair: *rng.choose(&PAIRS).unwrap_or(&PAIRS[0]),
            vnet: 1 + rng.below(250),
            lan: rng.below(250),
            peering: format!("172.{}.{}", 16 + rng.below(15), rng.below(250)),
            asn: 65_001 + rng.below(400),
            vlan: 2 + rng.below(2000),
            key: rng.below(2) == 0,
            bfd: rng.below(2) == 0,
            trunk: rng.below(2) == 0,
            networks: 1 + rng.below(3),
            towards_site: rng.below(2) == 0,
            port,
            tcp: (rng.below(3) > 0).then(|| u16::try_from(port).unwrap_or(443)),
            wrong_key: [false; 2],
            wrong_asn: false,
            attached: false,
        }
    }

    /// A site whose routers are the user's own: nobody asks from there, and no server of ours is there.
    pub(super) fn attached(rng: &mut Rng) -> Self {
        Self {
            attached: true,
            towards_site: true,
            tcp: None,
            ..Self::random(rng)
        }
    }

    /// Writes a fault into it, where it is a matter of writing.
    pub(super) fn prepare(&mut self, fault: &SiteFault) {
        self.wrong_asn = fault.kind == SiteKind::WrongPeerAsn;
        if fault.kind == SiteKind::WrongKey {
            self.wrong_key = fault.legs;
        }
    }

    /// Who asks, and for whom.
    pub(super) fn question(&self) -> (String, String) {
        let (app, desk) = (
            format!("{}-app-0-0", self.name),
            format!("{}-desk", self.name),
        );
        if self.towards_site {
            (app, desk)
        } else {
            (desk, app)
        }
    }

    pub(super) fn files(&self) -> BTreeMap<String, String> {
        [("azure.tf", self.azure()), ("lab.sky.hcl", self.lab())]
            .map(|(name, text)| (name.to_owned(), text))
            .into()
    }

    fn azure(&self) -> String {
        let name = &self.name;
        let vnet = format!("10.{}", self.vnet);
        let peer_asn = if self.wrong_asn {
            self.asn + 1
        } else {
            self.asn
        };
        let key = if self.key || self.wrong_key != [false; 2] {
            "  shared_key                    = \"s3cretOfBoth\"\n"
        } else {
            ""
        };
        let mut out = format!(
            "provider \"azurerm\" {{\n  features {{}}\n}}\n\nresource \"azurerm_resource_group\" \"rg\" {{\n  \
             name     = \"{name}\"\n  location = \"{}\"\n}}\n\n",
            self.pair.0
        );
        out += &format!(
            "resource \"azurerm_virtual_network\" \"v0\" {{\n{}  address_space       = [\"{vnet}.0.0/16\"]\n}}\n\n",
            common(&format!("{name}-vnet"))
        );
        for (label, subnet, prefix) in [
            ("gw0", "GatewaySubnet", "0.0/27"),
            ("app0", "app", "1.0/24"),
        ] {
            out += &format!(
                "resource \"azurerm_subnet\" \"{label}\" {{\n  name                 = \"{subnet}\"\n  \
                 resource_group_name  = azurerm_resource_group.rg.name\n  \
                 virtual_network_name = azurerm_virtual_network.v0.name\n  \
                 address_prefixes     = [\"{vnet}.{prefix}\"]\n}}\n\n"
            );
        }
        machine(&mut out, name, 0, 0);
        out += &format!(
            "resource \"azurerm_public_ip\" \"g\" {{\n{}  allocation_method   = \"Static\"\n  \
             sku                 = \"Standard\"\n}}\n\n",
            common(&format!("{name}-pip"))
        );
        out += &format!(
            "resource \"azurerm_virtual_network_gateway\" \"g\" {{\n{}  type                = \"ExpressRoute\"\n  \
             sku                 = \"{GATEWAY_SKU}\"\n\n  ip_configuration {{\n    \
             name                          = \"default\"\n    \
             public_ip_address_id          = azurerm_public_ip.g.id\n    \
             private_ip_address_allocation = \"Dynamic\"\n    \
             subnet_id                     = azurerm_subnet.gw0.id\n  }}\n}}\n\n",
            common(&format!("{name}-gw"))
        );
        out += &format!(
            "resource \"azurerm_express_route_circuit\" \"hq\" {{\n{}  \
             service_provider_name = \"{PROVIDER}\"\n  peering_location      = \"{}\"\n  \
             bandwidth_in_mbps     = 1000\n\n  sku {{\n    tier   = \"Standard\"\n    \
             family = \"MeteredData\"\n  }}\n}}\n\n",
            common(name),
            self.pair.1
        );
        out += &format!(
            "resource \"azurerm_express_route_circuit_peering\" \"private\" {{\n  \
             peering_type                  = \"AzurePrivatePeering\"\n  \
             express_route_circuit_name    = azurerm_express_route_circuit.hq.name\n  \
             resource_group_name           = azurerm_resource_group.rg.name\n  \
             peer_asn                      = {peer_asn}\n  \
             primary_peer_address_prefix   = \"{peering}.0/30\"\n  \
             secondary_peer_address_prefix = \"{peering}.4/30\"\n  \
             vlan_id                       = {}\n{key}}}\n\n",
            self.vlan,
            peering = self.peering
        );
        out += &format!(
            "resource \"azurerm_virtual_network_gateway_connection\" \"hq\" {{\n{}  \
             type                       = \"ExpressRoute\"\n  \
             virtual_network_gateway_id = azurerm_virtual_network_gateway.g.id\n  \
             express_route_circuit_id   = azurerm_express_route_circuit.hq.id\n\n  \
             depends_on = [azurerm_express_route_circuit_peering.private]\n}}\n",
            common(&format!("{name}-con"))
        );
        out
    }

    fn lab(&self) -> String {
        let name = &self.name;
        let mut out = format!("site \"hq\" {{\n  asn = {}\n\n", self.asn);
        for network in 0..self.networks {
            let host = if network == 0 {
                format!(
                    "\n    host \"{name}-desk\" {{ address = \"192.168.{}.10\" }}\n",
                    self.lan
                )
            } else {
                String::new()
            };
            let third = self.lan + network;
            out += &format!(
                "  network \"lan{network}\" {{\n    cidr = \"192.168.{third}.0/24\"\n{host}  }}\n\n"
            );
        }
        for (router, path, wrong) in [
            ("ce1", "primary", self.wrong_key[0]),
            ("ce2", "secondary", self.wrong_key[1]),
        ] {
            let mode = if self.trunk {
                "    mode    = \"trunk\"\n"
            } else {
                ""
            };
            let attach = if self.attached {
                format!("    attach  = \"netns:{router}\"\n    persona = \"frr\"\n")
            } else {
                String::new()
            };
            let key = if wrong {
                "    md5     = \"anotherS3cret\"\n"
            } else {
                ""
            };
            out += &format!(
                "  router \"{router}\" {{\n    circuit = azurerm_express_route_circuit.hq\n    \
                 path    = \"{path}\"\n    bfd     = {}\n{mode}{key}{attach}  }}\n\n",
                self.bfd
            );
        }
        out += &format!(
            "}}\n\ncarrier \"metro\" {{\n  model    = \"l2\"\n  provider = \"{PROVIDER}\"\n  hand_off = \"redundant\"\n}}\n\n"
        );
        let host = if self.towards_site && !self.attached {
            format!("host.{name}-desk")
        } else {
            "azurerm_linux_virtual_machine.h0_0".to_owned()
        };
        out += &format!(
            "service \"asked\" {{\n  host = {host}\n  tcp  = {}\n}}\n",
            self.port
        );
        out
    }
}
