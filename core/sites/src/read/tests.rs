//! Good and bad lab files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use skybridge_hcl::{Diagnostic, MemoryFiles, Value};
use skybridge_terraform::{Apply, Schemas, Stack, StackState, VariableInputs};

use super::read;
use crate::{Element, Endpoint, LabFile, LinkTarget, Path, Protocol, Target, Within};

mod sites;

/// The names of a small stack.
fn scope() -> BTreeMap<String, Value> {
    let instance =
        |address: &str| Value::object_of([("id", Value::string("x"))]).with_origin(address);
    let names = [
        ("azurerm_linux_virtual_machine", "app"),
        ("azurerm_express_route_circuit", "hq"),
        ("azurerm_subnet", "s"),
        ("oci_core_instance", "db"),
        ("oci_core_subnet", "s"),
        ("oci_core_virtual_circuit", "c"),
    ];
    let of = |ty: &str, name: &str| {
        Value::object_of([(name.to_owned(), instance(&format!("{ty}.{name}")))])
    };
    let mut scope: BTreeMap<String, Value> = names
        .iter()
        .map(|(ty, name)| ((*ty).to_owned(), of(ty, name)))
        .collect();
    let variables = [
        ("port", Value::number(1521)),
        ("late", Value::string("p").placeholder("x.y")),
    ];
    scope.insert("var".to_owned(), Value::object_of(variables));
    scope
}

/// Reads one file; the words of what was said.
fn lab(text: &str) -> (LabFile, Vec<String>) {
    let files = MemoryFiles::new()
        .with("lab.sky.hcl", text)
        .with("main.tf", "nonsense {");
    let (lab, said) = read(&files, ".", &scope());
    let words = |d: &Diagnostic| {
        assert!(d.is_error());
        let span = d.span.as_ref().map(ToString::to_string).unwrap_or_default();
        let help = d.help.clone().unwrap_or_default();
        format!("{span}: {}: {} {help}", d.summary, d.detail)
    };
    (lab, said.iter().map(words).collect())
}

fn resource(text: &str) -> Endpoint {
    Endpoint::Resource(text.parse().unwrap())
}

const GOOD: &str = r#"
service "oracle-db" {
  host = oci_core_instance.db
  tcp  = var.port
  to   = "127.0.0.1:5432"
}
service "echo" {
  host = host.probe
  tcp  = 80
}
host "probe" {
  subnet  = azurerm_subnet.s
  address = "10.2.1.99"
}
expect "the app reaches its database" {
  from     = azurerm_linux_virtual_machine.app
  to       = oci_core_instance.db
  tcp      = 1521
  survives = 1
  within   = { link = "2s", router = "60s" }
}
expect "nobody pings the probe" {
  from      = oci_core_instance.db
  to        = "10.2.1.99"
  reachable = false
  within    = "500ms"
}
limits { oci_routes_in_private_v4 = 4000 }
link "primary" {
  circuit = azurerm_express_route_circuit.hq
  path    = "primary"
  delay   = "1ms"
  jitter  = "200us"
  loss    = "0.1%"
  rate    = "1 Gbps"
}
link "far" { between = [azurerm_subnet.s, oci_core_subnet.s] }
"#;

#[test]
fn a_whole_lab_file_is_read() {
    let (lab, said) = lab(GOOD);
    assert_eq!(said, Vec::<String>::new());
    let service = &lab.services[0];
    assert_eq!((service.name.as_str(), service.tcp), ("oracle-db", 1521));
    assert_eq!(service.host, resource("oci_core_instance.db"));
    let target = Target {
        host: "127.0.0.1".to_owned(),
        port: 5432,
    };
    assert_eq!(service.to, Some(target));
    assert_eq!(
        (service.place.file.as_ref(), service.place.line),
        ("lab.sky.hcl", 2)
    );
    assert_eq!(lab.services[1].host, Endpoint::Host("probe".to_owned()));
    assert_eq!(lab.services[1].to, None);
    assert_eq!(lab.hosts[0].subnet.to_string(), "azurerm_subnet.s");
    assert_eq!(lab.hosts[0].address, Some("10.2.1.99".parse().unwrap()));
    let first = &lab.expectations[0];
    assert_eq!(
        (first.protocol, first.survives, first.reachable),
        (Protocol::Tcp(1521), 1, true)
    );
    let within = first.within.as_ref().unwrap();
    assert_eq!(within.of(Element::Router), Some(Duration::from_secs(60)));
    assert_eq!(within.of(Element::Gateway), None);
    let second = &lab.expectations[1];
    assert_eq!(
        (second.protocol, second.survives, second.reachable),
        (Protocol::Icmp, 0, false)
    );
    assert_eq!(second.to, [Endpoint::Ip("10.2.1.99".parse().unwrap())]);
    assert_eq!(second.within, Some(Within::Any(Duration::from_millis(500))));
    assert_eq!(lab.limits["oci_routes_in_private_v4"], 4000);
    let link = &lab.links[0];
    let circuit = "azurerm_express_route_circuit.hq".parse().unwrap();
    assert_eq!(
        link.target,
        LinkTarget::Circuit {
            circuit,
            path: Some(Path::Primary)
        }
    );
    assert_eq!(
        (link.loss_ppm, link.rate_bps),
        (Some(1000), Some(1_000_000_000))
    );
    assert!(matches!(lab.links[1].target, LinkTarget::Between(..)));
}

#[test]
fn every_error_is_said_at_its_place_and_all_at_once() {
    let text = r#"servce "a" { }
site "hq" { }
service "b" {
  host = oci_core_instance.db
  tpc  = 1
}
expect "c" {
  from     = host.prob
  to       = "nowhere"
  tcp      = 0
  survives = 3
  within   = { lnk = "2s" }
}
host "probe" { subnet = oci_core_instance.db }
limits { oci_routes_in_private_v = 1 }
link "l" {
  circuit = azurerm_express_route_circuit.hq
  path    = "third"
  delay   = "soon"
  loss    = "1"
}
"#;
    let (_, said) = lab(text);
    let wanted = [
        "lab.sky.hcl:1:1: Unsupported block: a lab file has no servce blocks Did you mean \"service\"?",
        "lab.sky.hcl:2:1: Missing argument: a site block needs the argument \"asn\"",
        "lab.sky.hcl:5:3: Unsupported argument: a service block has no argument \"tpc\" Did you mean \"tcp\"?",
        "lab.sky.hcl:3:1: Missing argument: a service block needs the argument \"tcp\"",
        "Unknown host: the lab file has no host \"prob\" Did you mean \"probe\"?",
        "lab.sky.hcl:9:14: Invalid value: to: \"nowhere\" is neither a host nor an IP address",
        "lab.sky.hcl:10:14: Invalid value: tcp: a port from 1 to 65535 is expected",
        "lab.sky.hcl:11:14: Invalid value: survives: a number from 0 to 2 is expected",
        "did you mean \"link\"?",
        "lab.sky.hcl:14:25: Invalid value: subnet: oci_core_instance.db is not one of the types",
        "lab.sky.hcl:15:10: Unknown limit: the catalogue has no limit \"oci_routes_in_private_v\" Did you mean",
        "path: \"third\" is neither \"primary\" nor \"secondary\"",
        "delay: \"soon\" is not a duration",
        "loss: \"1\" is not a share",
    ];
    assert_eq!(said.len(), wanted.len(), "{said:#?}");
    for (said, wanted) in said.iter().zip(wanted) {
        assert!(said.contains(wanted), "{said}\nshould have: {wanted}");
    }
}

#[test]
fn parts_of_a_site_outside_one_and_carriers_of_other_models_are_named() {
    for kind in ["network", "router"] {
        let (_, said) = lab(&format!("{kind} \"x\" {{ }}"));
        let words = format!("{kind} \"x\" stands in a site block");
        assert!(said.len() == 1 && said[0].contains(&words), "{said:?}");
    }
    for model in ["l3", "exchange", "direct"] {
        let (_, said) = lab(&format!("carrier \"x\" {{ model = \"{model}\" }}"));
        let words = format!("the carrier model \"{model}\" is not supported yet");
        assert!(said.len() == 1 && said[0].contains(&words), "{said:?}");
    }
}

#[test]
fn single_faults_are_named() {
    let expect = |rest: &str| {
        format!(
            "expect \"e\" {{\n  from = oci_core_instance.db\n  to   = oci_core_instance.db\n{rest}\n}}"
        )
    };
    let cases = [
        (expect("tcp = 1\nudp = 2"), "one of tcp, udp and icmp; this has tcp, udp"),
        (expect("icmp = false"), "true is expected"),
        (expect("tcp = var.nothing"), "nothing"),
        (expect("tcp = var.late"), "the value of \"tcp\" is not known"),
        (expect("within = 2"), "a duration, or an object of durations"),
        (expect("reachable = \"maybe\""), "true or false is expected"),
        (expect("") + "\n" + &expect(""), "is defined at lab.sky.hcl:1:1 already"),
        ("expect { }".to_owned(), "has one label"),
        ("x = 1".to_owned(), "stands outside any block"),
        ("service \"s\" {\n host = azurerm_subnet.s\n tcp = 1\n}".to_owned(), "azurerm_subnet.s is not one of the types"),
        ("service \"s\" {\n host = oci_core_instance.db\n tcp = 1\n to = \"x\"\n}".to_owned(), "is not host:port"),
        ("service \"s\" {\n host = oci_core_instance.db.id\n tcp = 1\n}".to_owned(), "a whole resource is expected"),
        ("link \"l\" { delay = \"1ms\" }".to_owned(), "needs the argument \"circuit\" or \"between\""),
        ("link \"l\" {\n circuit = oci_core_virtual_circuit.c\n delay = \"1ms\"\n jitter = \"2ms\"\n}".to_owned(), "jitter"),
        ("limits \"x\" { }".to_owned(), "has no label"),
        ("limits { oci_routes_in_private_v4 = \"many\" }".to_owned(), "a whole number"),
        ("host \"h\" { address = \"x\" }".to_owned(), "needs the argument \"subnet\""),
        ("service \"s\" {".to_owned(), "lab.sky.hcl"),
    ];
    for (text, words) in cases {
        let (_, said) = lab(&text);
        assert!(
            said.iter().any(|s| s.contains(words)),
            "{text}\n{said:#?}\nshould say: {words}"
        );
    }
}

#[test]
fn what_is_sound_is_kept_beside_what_is_not() {
    let (lab, said) = lab("host \"a\" { subnet = azurerm_subnet.s }\nhost \"b\" { subnet = 1 }");
    assert_eq!((lab.hosts.len(), said.len()), (1, 1));
    let (lab, said) = read(&MemoryFiles::new(), ".", &scope());
    assert_eq!((lab, said), (LabFile::default(), Vec::new()));
}

#[test]
fn hosts_of_one_file_are_known_in_another() {
    let files = MemoryFiles::new()
        .with(
            "d/a.sky.hcl",
            "service \"s\" {\n host = host.h\n tcp = 1\n}",
        )
        .with("d/b.sky.hcl", "host \"h\" { subnet = oci_core_subnet.s }");
    let (lab, said) = read(&files, "d", &scope());
    assert_eq!(said, []);
    assert_eq!(lab.services[0].place.file.as_ref(), "d/a.sky.hcl");
}

#[test]
fn limits_are_set_by_row_for_all_rows_and_by_the_names_people_know() {
    let (lab, said) = lab(
        "limits {\n  expressroute_private_prefixes_v4 = 5\n  azure_routes_in_private_v4_premium = 7\n}",
    );
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(lab.limits["azure_routes_in_private_v4_premium"], 7);
    assert_eq!(lab.limits["azure_routes_in_private_v4"], 5);
    assert_eq!(lab.limits.len(), 2);
    assert_eq!(lab.limit_places["azure_routes_in_private_v4"].line, 2);
}

#[test]
fn names_are_those_of_the_applied_stack() {
    let main = r#"
variable "port" { default = 5432 }
resource "azurerm_subnet" "s" { name = "s" }
resource "azurerm_linux_virtual_machine" "app" {
  count = 2
  name  = "app${count.index}"
}
resource "oci_core_instance" "db" { shape = "x" }
"#;
    let text = r#"
expect "x" {
  from = azurerm_linux_virtual_machine.app[1]
  to   = oci_core_instance.db
  tcp  = var.port
}
host "h" { subnet = azurerm_subnet.s }
link "l" { between = [azurerm_subnet.s, oci_core_instance.db] }
service "bad" {
  host = oci_core_instance.dbb
  tcp  = 1
}
"#;
    let files = Arc::new(
        MemoryFiles::new()
            .with("main.tf", main)
            .with("lab.sky.hcl", text),
    );
    let schemas = Arc::new(Schemas::default());
    let inputs = VariableInputs::default();
    let stack = Stack::load(files.clone(), ".", &inputs, schemas);
    let (stack, _) = stack.expect("it loads");
    let mut apply = Apply::new(Arc::new(stack), StackState::default());
    while !apply.is_done() {
        while let Some(action) = apply.poll_action() {
            apply.complete_as_placeholder(action.target().id);
        }
    }
    let (lab, said) = read(files.as_ref(), ".", &apply.scope());
    let words: Vec<_> = said.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), 1, "{words:?}");
    assert!(words[0].contains("dbb"), "{words:?}");
    let expectation = &lab.expectations[0];
    assert_eq!(
        expectation.from,
        [resource("azurerm_linux_virtual_machine.app[1]")]
    );
    assert_eq!(expectation.protocol, Protocol::Tcp(5432));
    assert_eq!(lab.hosts[0].subnet.to_string(), "azurerm_subnet.s");
    assert!(matches!(lab.links[0].target, LinkTarget::Between(..)));
}

#[test]
fn forwards_are_read() {
    let text = r#"
forward "psql" {
  listen = "127.0.0.1:15432"
  from   = azurerm_linux_virtual_machine.app
  host   = oci_core_instance.db
  tcp    = var.port
}
forward "open" {
  listen   = "0.0.0.0:80"
  anywhere = true
  host     = oci_core_instance.db
  tcp      = 80
}
"#;
    let (lab, said) = lab(text);
    assert!(said.is_empty(), "{said:?}");
    let [psql, open] = lab.forwards.as_slice() else {
        panic!("{:?}", lab.forwards);
    };
    assert_eq!((psql.name.as_str(), psql.tcp), ("psql", 1521));
    assert_eq!(psql.listen.to_string(), "127.0.0.1:15432");
    assert_eq!(psql.host, resource("oci_core_instance.db"));
    let app = resource("azurerm_linux_virtual_machine.app");
    assert_eq!((&psql.from, &open.from), (&Some(app), &None));
}

#[test]
fn a_forward_that_others_could_reach_or_that_leads_nowhere_is_refused() {
    let forward = |arguments: &str| lab(&format!("forward \"x\" {{\n{arguments}\n}}")).1;
    let host = "host = oci_core_instance.db\ntcp = 1\n";
    for (arguments, expected) in [
        (
            format!("{host}listen = \"0.0.0.0:80\""),
            "not a loopback address",
        ),
        (
            format!("{host}listen = \"127.0.0.1\""),
            "is not address:port",
        ),
        (
            format!("{host}listen = \"127.0.0.1:0\""),
            "is not address:port",
        ),
        (host.to_owned(), "needs the argument \"listen\""),
        (
            "listen = \"127.0.0.1:1\"\nhost = azurerm_subnet.s\ntcp = 1".to_owned(),
            "is not one of the types",
        ),
        (
            format!("{host}listen = \"127.0.0.1:1\"\nfrom = \"app\""),
            "a whole resource is expected",
        ),
    ] {
        let said = forward(&arguments);
        assert!(
            said.len() == 1 && said[0].contains(expected),
            "{expected}: {said:?}"
        );
    }
}
