//! What each fuzz target does with its input. Every function takes any octets and must return: a panic
//! is a finding. The same functions run on the kept corpora as plain tests (`tests/corpora.rs`).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod machines;
mod routers;
mod stacks;

pub use machines::{bfd, bgp_speaker, socks, transport};
pub use routers::router;
pub use stacks::{decode, document, stack};

use std::collections::BTreeMap;

use skybridge_bgp::attr::DecodeContext;
use skybridge_bgp::message::{Framer, Message};
use skybridge_hcl::{NoFiles, Value, ast, evaluate, parse_body};
use skybridge_wire::summary::Summary;
use skybridge_wire::{
    EtherType, arp, bfd as bfd_wire, ethernet, flow, icmpv4, icmpv6, ipv4, ipv6, nd, tcp, udp,
};

/// A target: its name (also its corpus' folder) and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 11] = [
    ("wire", wire),
    ("bgp_message", bgp_message),
    ("bgp_speaker", bgp_speaker),
    ("bfd", bfd),
    ("hcl", hcl),
    ("stack", stack),
    ("document", document),
    ("decode", decode),
    ("transport", transport),
    ("router", router),
    ("socks", socks),
];

/// One Ethernet frame through every parser that its types lead to.
pub fn wire(data: &[u8]) {
    packet(data);
    assert!(
        !Summary(data).to_string().is_empty(),
        "a line says something"
    );
    let Ok(frame) = ethernet::parse(data) else {
        return;
    };
    let payload = frame.payload();
    assert!(payload.len() <= data.len(), "a payload lies in its frame");
    match frame.ethertype() {
        EtherType::ARP => {
            if let Ok(first) = arp::parse(payload) {
                let again = arp::parse(&first.to_bytes());
                assert_eq!(again, Ok(first), "ARP is read as it was written");
            }
        }
        _ => packet(payload),
    }
}

fn packet(bytes: &[u8]) {
    if let Ok(info) = flow::parse(bytes) {
        assert!(info.total_len <= bytes.len(), "a packet lies in its octets");
        assert!(
            info.l4_offset <= info.total_len,
            "a header lies in its packet"
        );
    }
    if let Ok(view) = ipv4::parse(bytes) {
        let _valid = view.is_checksum_valid();
        upper(view.payload());
    }
    if let Ok(view) = ipv6::parse(bytes) {
        upper(view.payload());
    }
    let _neighbour_discovery = nd::parse(bytes);
}

fn upper(bytes: &[u8]) {
    if let Ok(view) = tcp::parse(bytes) {
        assert!(view.payload().len() <= bytes.len());
        assert!(view.options().count() <= bytes.len());
    }
    if let Ok(view) = udp::parse(bytes) {
        datagram(view.payload());
    }
    if let Ok(view) = icmpv4::parse(bytes) {
        let _kind = view.kind();
    }
    if let Ok(view) = icmpv6::parse(bytes) {
        let _kind = view.kind();
    }
}

fn datagram(bytes: &[u8]) {
    if let Ok(first) = bfd_wire::parse(bytes) {
        let again = bfd_wire::parse(&first.to_bytes());
        assert_eq!(again, Ok(first), "BFD is read as it was written");
    }
}

/// A stream of BGP messages, decoded with both widths of AS numbers.
pub fn bgp_message(data: &[u8]) {
    let mut framer = Framer::default();
    framer.push(data);
    for four_octet_as in [false, true] {
        let mut framer = framer.clone();
        let context = DecodeContext {
            four_octet_as,
            external: true,
        };
        // Each message has at least its header, so the loop ends.
        while let Ok(Some(frame)) = framer.next_frame() {
            if let Ok(message) = Message::decode(frame, &context) {
                let mut bytes = Vec::new();
                message.encode(four_octet_as, &mut bytes);
                assert!(!bytes.is_empty(), "a message has a header");
            }
        }
    }
}

/// A file: parsed, and every expression in it evaluated.
pub fn hcl(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(body) = parse_body("fuzz.tf", text) {
        let scope = BTreeMap::from([("x".to_owned(), Value::strings(["a", "b"]))]);
        evaluate_all(&body, &scope);
    }
}

fn evaluate_all(body: &ast::Body, scope: &BTreeMap<String, Value>) {
    for attribute in &body.attributes {
        let first = evaluate(&attribute.expr, scope, &NoFiles);
        let second = evaluate(&attribute.expr, scope, &NoFiles);
        assert_eq!(first, second, "evaluation is a function");
    }
    for block in &body.blocks {
        evaluate_all(&block.body, scope);
    }
}
