//! Sites and carriers, good and bad.

use super::*;
use crate::{Attach, Bfd, HandOff, HostPlace, Persona, PortMode};

const SITE: &str = r#"
site "hq" {
  asn = 65010
  network "lan" { cidr = "192.168.0.0/16" }
  network "lab" {
    cidr = "10.9.0.0/24"
    host "printer" { address = "10.9.0.20" }
  }
  router "ce1" {
    circuit = azurerm_express_route_circuit.hq
    path    = "primary"
  }
  router "ce2" {
    circuit    = azurerm_express_route_circuit.hq
    path       = "secondary"
    attach     = "netns:frr"
    persona    = "frr"
    mode       = "trunk"
    vlan       = 300
    bfd        = { interval = "100ms", multiplier = 5 }
    hold       = "9s"
    keepalive  = "3s"
    md5        = "other"
    local_pref = 90
    prepend    = 2
  }
}
host "desk" {
  network = site.hq.lan
  address = "192.168.0.10"
}
carrier "metro" {
  model    = "l2"
  provider = ["Equinix", "Megaport"]
  hand_off = "single"
  delay    = "2ms"
  mtu      = 1600
}
carrier "other" { model = "l2" }
service "print" {
  host = host.printer
  tcp  = 631
}
expect "the site reaches the app" {
  from = site.hq.lan
  to   = azurerm_linux_virtual_machine.app
}
link "access" {
  router = site.hq.ce1
  delay  = "1ms"
}
"#;

#[test]
fn a_site_with_networks_routers_hosts_and_carriers_is_read() {
    let (lab, said) = lab(SITE);
    assert_eq!(said, Vec::<String>::new());
    let site = &lab.sites[0];
    assert_eq!((site.name.as_str(), site.asn.0), ("hq", 65010));
    assert_eq!(site.networks[0].cidr.to_string(), "192.168.0.0/16");
    let [first, second] = site.routers.as_slice() else {
        panic!("{:?}", site.routers);
    };
    assert_eq!(first.path, Some(Path::Primary));
    assert_eq!((first.mode, first.bfd), (PortMode::Access, Bfd::Usual));
    assert_eq!((&first.attach, first.persona), (&None, None));
    assert_eq!(second.attach, Some(Attach::Namespace("frr".to_owned())));
    assert_eq!(second.persona, Some(Persona::Frr));
    assert_eq!(second.vlan.map(|v| v.as_u16()), Some(300));
    let interval = Duration::from_millis(100);
    let multiplier = 5;
    let timers = Bfd::On {
        interval,
        multiplier,
    };
    assert_eq!(second.bfd, timers);
    assert_eq!((second.hold_s, second.keepalive_s), (Some(9), Some(3)));
    assert_eq!((second.local_pref, second.prepend), (Some(90), 2));
    let carrier = &lab.carriers[0];
    assert_eq!(carrier.providers, ["Equinix", "Megaport"]);
    assert_eq!(
        (carrier.hand_off, carrier.mtu),
        (HandOff::Single, Some(1600))
    );
    assert!(lab.carriers[1].providers.is_empty());
    let places: Vec<String> = lab.hosts.iter().map(|h| h.subnet.to_string()).collect();
    assert_eq!(places, ["site.hq.lab", "site.hq.lan"]);
    let network = Endpoint::SiteNetwork {
        site: "hq".to_owned(),
        network: "lan".to_owned(),
    };
    assert_eq!(lab.expectations[0].from, [network]);
    assert_eq!(lab.services[0].host, Endpoint::Host("printer".to_owned()));
    assert!(matches!(&lab.links[0].target, LinkTarget::Router { router, .. } if router == "ce1"));
    assert!(matches!(lab.hosts[0].subnet, HostPlace::Network { .. }));
}

/// The block of design §3, as it stands there.
#[test]
fn the_site_of_the_design_is_read() {
    let text = r#"
site "hq" {                                  # on-premises, with its edge routers
  asn = 65010
  network "lan" { cidr = "192.168.0.0/16" }
  router "ce1" {
    circuit = azurerm_express_route_circuit.hq
    path    = "primary"
  }
  router "ce2" {                             # the user's own FRR, BIRD, device, behind a TAP, veth or NIC
    circuit = azurerm_express_route_circuit.hq
    path    = "secondary"
    attach  = "netns:frr"
  }
}
carrier "metro" { model = "l2" }
"#;
    let (lab, said) = lab(text);
    assert_eq!(said, Vec::<String>::new());
    assert_eq!((lab.sites.len(), lab.carriers.len()), (1, 1));
}

/// Each text is refused with these words, at a place.
fn refused(cases: &[(String, &str)]) {
    for (text, words) in cases {
        let (_, said) = lab(text);
        assert!(
            said.iter().any(|s| s.contains(words)),
            "{text}\n{said:#?}\nshould say: {words}"
        );
        assert!(
            said.iter().all(|s| s.starts_with("lab.sky.hcl:")),
            "{said:#?}"
        );
    }
}

fn router(rest: &str) -> String {
    let circuit = "circuit = azurerm_express_route_circuit.hq";
    site(&format!("router \"r\" {{\n{circuit}\n{rest}\n}}"))
}

fn site(rest: &str) -> String {
    format!("site \"s\" {{\n  asn = 1\n{rest}\n}}")
}

#[test]
fn faults_of_routers_are_named() {
    let attached = |rest: &str| router(&format!("path = \"primary\"\n{rest}"));
    refused(&[
        (
            router("path = \"third\""),
            "neither \"primary\" nor \"secondary\"",
        ),
        (
            router("attach = \"netns:frr\""),
            "needs the path that ends there",
        ),
        (attached("attach = \"veth:x\""), "is none of \"netns:NAME\""),
        (
            attached("attach = \"tap:a-name-far-too-long\""),
            "longer than an interface's name",
        ),
        (router("persona = \"frr\""), "this one the lab runs itself"),
        (
            attached("attach = \"tap:x\"\npersona = \"fr\""),
            "did you mean \"frr\"?",
        ),
        (router("mode = \"trnk\""), "did you mean \"trunk\"?"),
        (router("vlan = 5"), "vlan belongs to mode"),
        (
            router("mode = \"trunk\"\nvlan = 4095"),
            "a VLAN id from 1 to 4094",
        ),
        (router("hold = \"2s\""), "3 at least"),
        (
            router("hold = \"9s\"\nkeepalive = \"5s\""),
            "a third of the hold time",
        ),
        (router("bfd = \"yes\""), "true, false or"),
        (router("bfd = { interval = \"1ms\" }"), "10ms at least"),
        (router("prepend = 11"), "from 0 to 10"),
        (
            site("router \"lan\" { circuit = azurerm_express_route_circuit.hq }"),
            "what the router inside a site is called",
        ),
    ]);
}

#[test]
fn faults_of_sites_and_networks_are_named() {
    let network = |rest: &str| site(&format!("network \"n\" {{\n{rest}\n}}"));
    refused(&[
        (site("asnn = 2"), "Did you mean \"asn\"?"),
        ("site \"s\" { asn = 0 }".to_owned(), "an AS number from 1"),
        (site("netwrk \"n\" {}"), "Did you mean \"network\"?"),
        (network(""), "needs the argument \"cidr\""),
        (network("cidr = \"fd00::/64\""), "is not an IPv4 prefix"),
        (network("cidr = \"10.0.0.1/24\""), "10.0.0.0/24 has none"),
        (network("cidr = \"10.0.0.0/31\""), "no room"),
        (
            network("cidr = \"10.0.0.0/24\"\nhost \"h\" { address = \"10.0.0.1\" }"),
            "no host address of 10.0.0.0/24",
        ),
        (
            network("cidr = \"10.0.0.0/24\"\n}\nrouter \"n\" {"),
            "is defined in this site at",
        ),
        (
            network("cidr = \"10.0.0.0/24\"\nhost \"h\" {}")
                + "\nservice \"x\" {\n host = site.s.n\n tcp = 1\n}",
            "name one, such as host.h",
        ),
    ]);
}

#[test]
fn faults_of_carriers_and_references_are_named() {
    let expect = |from: &str| format!("\nexpect \"e\" {{\n from = {from}\n to = \"10.0.0.2\"\n}}");
    let lan = site("network \"lan\" { cidr = \"10.0.0.0/24\" }");
    refused(&[
        (
            "carrier \"c\" { model = \"l4\" }".to_owned(),
            "no model of a carrier",
        ),
        (
            "carrier \"a b\" { model = \"l2\" }".to_owned(),
            "is not a name of letters",
        ),
        (
            "carrier \"a\" { model = \"l2\" }\ncarrier \"b\" { model = \"l2\" }".to_owned(),
            "carrier \"a\" stands for every provider already",
        ),
        (
            "host \"h\" { network = azurerm_subnet.s }".to_owned(),
            "a network of a site is expected",
        ),
        (lan + &expect("site.s.lam"), "Did you mean \"lan\"?"),
        (
            site("") + &expect("site.hq.lan"),
            "the lab file has no site \"hq\"",
        ),
        (router("") + &expect("site.s.r"), "site.s.r is a router"),
    ]);
}
