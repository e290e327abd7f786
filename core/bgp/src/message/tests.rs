//! Byte tables written by hand from the RFCs.

use std::net::Ipv4Addr;

use skybridge_base::Asn;

use super::*;
use crate::attr::{Attributes, FaultKind, OnError};
use crate::types::{AsPath, Community, Families, Family, LargeCommunity, Origin};

const NEW: DecodeContext = DecodeContext {
    four_octet_as: true,
    external: true,
};
const OLD: DecodeContext = DecodeContext {
    four_octet_as: false,
    external: true,
};
const INTERNAL: DecodeContext = DecodeContext {
    four_octet_as: true,
    external: false,
};

/// A frame of `kind` around `body`.
fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff; 16];
    out.extend_from_slice(&u16::try_from(19 + body.len()).unwrap().to_be_bytes());
    out.push(kind);
    out.extend_from_slice(body);
    out
}

/// An UPDATE of attributes and NLRI.
fn update(attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0];
    body.extend_from_slice(&u16::try_from(attributes.len()).unwrap().to_be_bytes());
    body.extend_from_slice(attributes);
    body.extend_from_slice(nlri);
    framed(2, &body)
}

fn decoded(frame: &[u8], context: &DecodeContext) -> Update {
    match Message::decode(frame, context) {
        Ok(Message::Update(u)) => *u,
        other => panic!("not an UPDATE: {other:?}"),
    }
}

fn fault(frame: &[u8]) -> (u8, u8, Vec<u8>) {
    let n = Message::decode(frame, &NEW).unwrap_err();
    (n.code, n.subcode, n.data)
}

/// ORIGIN IGP, AS_PATH 65002, NEXT_HOP 10.0.0.2: what every valid UPDATE starts with.
const BASIC: [u8; 20] = [
    0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea, 0x40, 3, 4, 10, 0, 0, 2,
];
/// 10.1.0.0/16.
const NLRI: [u8; 3] = [16, 10, 1];

fn with(extra: &[u8]) -> Vec<u8> {
    let mut list = BASIC.to_vec();
    list.extend_from_slice(extra);
    update(&list, &NLRI)
}

#[test]
fn an_open_with_capabilities_reads_and_writes_its_octets() {
    let bytes = framed(
        1,
        &[
            4, 0x5b, 0xa0, 0, 90, 10, 255, 0, 1,
            24, // AS_TRANS, 90 s, 24 octets of parameters
            2, 6, 1, 4, 0, 1, 0, 1, // IPv4 unicast
            2, 6, 1, 4, 0, 2, 0, 1, // IPv6 unicast
            2, 6, 65, 4, 0xfa, 0x56, 0xea, 0x01, // AS 4200000001
        ],
    );
    let Message::Open(open) = Message::decode(&bytes, &NEW).unwrap() else {
        panic!("not an OPEN");
    };
    assert_eq!(open.asn(), Asn(4_200_000_001));
    assert_eq!(open.my_as, 23456);
    assert_eq!(open.hold_time_s, 90);
    assert_eq!(open.router_id, Ipv4Addr::new(10, 255, 0, 1));
    assert_eq!(open.families(), Families::BOTH);
    assert!(!open.route_refresh());
    let mut out = Vec::new();
    Message::Open(open).encode(true, &mut out);
    assert_eq!(out, bytes);
}

#[test]
fn unknown_capabilities_are_kept_and_several_share_a_parameter() {
    let bytes = framed(
        1,
        &[
            4, 0xfd, 0xea, 0, 90, 1, 1, 1, 1, 9, 2, 7, 2, 0, 0xf0, 3, 1, 2, 3,
        ],
    );
    let Message::Open(open) = Message::decode(&bytes, &NEW).unwrap() else {
        panic!("not an OPEN");
    };
    let other = Capability::Other {
        code: 0xf0,
        data: vec![1, 2, 3],
    };
    assert_eq!(open.capabilities, [Capability::RouteRefresh, other]);
    assert_eq!(open.families(), Families::V4);
}

#[test]
fn extended_optional_parameters_are_read() {
    // RFC 9072 §2.
    let body = [
        4, 0xfd, 0xea, 0, 90, 1, 1, 1, 1, 255, 255, 0, 5, 2, 0, 2, 2, 0,
    ];
    let Message::Open(open) = Message::decode(&framed(1, &body), &NEW).unwrap() else {
        panic!("not an OPEN");
    };
    assert!(open.route_refresh());
}

#[test]
fn each_faulty_open_has_its_notification() {
    let open = |version, hold: u8, id: u8, parameters: &[u8]| {
        let mut body = vec![version, 0xfd, 0xea, 0, hold, id, 0, 0, 0];
        body.extend_from_slice(parameters);
        fault(&framed(1, &body))
    };
    assert_eq!(open(3, 90, 1, &[0]), (2, 1, vec![0, 4]));
    assert_eq!(open(4, 1, 1, &[0]), (2, 6, vec![0, 1]));
    assert_eq!(open(4, 2, 1, &[0]), (2, 6, vec![0, 2]));
    assert_eq!(open(4, 90, 0, &[0]), (2, 3, vec![]));
    assert_eq!(open(4, 90, 1, &[3, 1, 1, 0]), (2, 4, vec![]));
    assert_eq!(open(4, 90, 1, &[2, 2]), (2, 0, vec![]));
    assert_eq!(open(4, 90, 1, &[3, 2, 1, 1]), (2, 0, vec![]));
}

#[test]
fn each_faulty_header_has_its_notification() {
    let mut marker = framed(4, &[]);
    marker[7] = 0;
    assert_eq!(fault(&marker), (1, 1, vec![]));
    assert_eq!(fault(&framed(4, &[0])), (1, 2, vec![0, 20]));
    assert_eq!(fault(&framed(1, &[0; 9])), (1, 2, vec![0, 28]));
    assert_eq!(fault(&framed(2, &[0; 3])), (1, 2, vec![0, 22]));
    assert_eq!(fault(&framed(3, &[0; 1])), (1, 2, vec![0, 20]));
    assert_eq!(fault(&framed(9, &[])), (1, 3, vec![9]));
    let mut long = framed(2, &[0; 4]);
    long[16..18].copy_from_slice(&[0x10, 0x01]);
    assert_eq!(fault(&long), (1, 2, vec![0x10, 0x01]));
}

#[test]
fn keepalive_notification_and_route_refresh_round_trip() {
    let cases = [
        (Message::Keepalive, framed(4, &[])),
        (
            Message::Notification(Notification::cease_with_text(2, "bye")),
            framed(3, &[6, 2, 3, b'b', b'y', b'e']),
        ),
        (
            Message::RouteRefresh(RouteRefresh { afi: 2, safi: 1 }),
            framed(5, &[0, 2, 0, 1]),
        ),
    ];
    for (message, bytes) in cases {
        assert_eq!(Message::decode(&bytes, &NEW).unwrap(), message);
        let mut out = Vec::new();
        message.encode(true, &mut out);
        assert_eq!(out, bytes);
    }
}

#[test]
fn an_update_of_every_attribute_reads_its_octets() {
    let extra = [
        0x80, 4, 4, 0, 0, 0, 50, // MED
        0x40, 5, 4, 0, 0, 0, 200, // LOCAL_PREF
        0x40, 6, 0, // ATOMIC_AGGREGATE
        0xc0, 7, 8, 0, 0, 0xfd, 0xea, 10, 0, 0, 9, // AGGREGATOR
        0xc0, 8, 8, 0x2f, 0x2c, 0xc7, 0x3c, 0xff, 0xff, 0xff, 1, // COMMUNITIES
        0x80, 9, 4, 1, 2, 3, 4, // ORIGINATOR_ID
        0x80, 10, 4, 5, 6, 7, 8, // CLUSTER_LIST
        0xc0, 16, 8, 0, 2, 0, 1, 0, 0, 0, 9, // EXTENDED_COMMUNITIES
        0xc0, 32, 12, 0, 0, 0xfb, 0xf0, 0, 0, 0, 1, 0, 0, 0, 2, // LARGE_COMMUNITY
        0xe0, 99, 2, 7, 7, // unknown optional transitive
    ];
    let u = decoded(&with(&extra), &INTERNAL);
    let a = &u.attributes;
    assert!(u.faults.is_empty());
    assert_eq!(u.nets, ["10.1.0.0/16".parse().unwrap()]);
    assert_eq!(a.origin, Origin::Igp);
    assert_eq!(a.as_path, AsPath::sequence(&[Asn(65002)]));
    assert_eq!(a.next_hop, Some("10.0.0.2".parse().unwrap()));
    assert_eq!((a.med, a.local_pref), (Some(50), Some(200)));
    assert!(a.atomic_aggregate);
    assert_eq!(a.aggregator.unwrap().asn, Asn(65002));
    assert_eq!(
        a.communities,
        [Community::new(12076, 51004), Community::NO_EXPORT]
    );
    assert_eq!(a.originator_id, Some(Ipv4Addr::new(1, 2, 3, 4)));
    assert_eq!(a.cluster_list, [Ipv4Addr::new(5, 6, 7, 8)]);
    assert_eq!(a.extended_communities, [[0, 2, 0, 1, 0, 0, 0, 9]]);
    let large = LargeCommunity {
        global: 64496,
        local1: 1,
        local2: 2,
    };
    assert_eq!(a.large_communities, [large]);
    assert_eq!(a.unknown[0].value, [7, 7]);
    let mut out = Vec::new();
    Message::Update(Box::new(u)).encode(true, &mut out);
    assert_eq!(out, with(&extra));
}

#[test]
fn mp_reach_and_unreach_of_ipv6_read_their_octets() {
    let mut mp = vec![0x90, 14, 0, 44, 0, 2, 1, 32];
    mp.extend_from_slice(&[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    mp.extend_from_slice(&[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    mp.extend_from_slice(&[0, 48, 0x20, 1, 0x0d, 0xb8, 0, 1]);
    mp.extend_from_slice(&BASIC[..13]);
    mp.extend_from_slice(&[0x80, 15, 6, 0, 2, 1, 16, 0x20, 2]);
    let u = decoded(&update(&mp, &[]), &NEW);
    assert!(u.faults.is_empty(), "{:?}", u.faults);
    let reach = u.mp_reach.unwrap();
    assert_eq!(reach.family, Family::V6);
    assert_eq!(reach.next_hop.to_string(), "2001:db8::1");
    assert_eq!(reach.link_local.unwrap().to_string(), "fe80::1");
    assert_eq!(reach.nets, ["2001:db8:1::/48".parse().unwrap()]);
    assert_eq!(u.mp_unreach.unwrap().nets, ["2002::/16".parse().unwrap()]);
}

#[test]
fn end_of_rib_is_recognised_in_both_families_and_in_nothing_else() {
    for family in Family::ALL {
        let mut out = Vec::new();
        encode_end_of_rib(family, &mut out);
        assert_eq!(decoded(&out, &NEW).end_of_rib(), Some(family));
    }
    assert_eq!(decoded(&with(&[]), &NEW).end_of_rib(), None);
}

#[test]
fn a_two_octet_speaker_s_path_is_joined_with_as4_path_and_written_back() {
    // AS_PATH 100 AS_TRANS, AS4_PATH 4200000001.
    let list = [
        0x40, 1, 1, 0, 0x40, 2, 6, 2, 2, 0, 100, 0x5b, 0xa0, 0x40, 3, 4, 10, 0, 0, 2, 0xc0, 17, 6,
        2, 1, 0xfa, 0x56, 0xea, 1,
    ];
    let u = decoded(&update(&list, &NLRI), &OLD);
    assert_eq!(u.attributes.as_path.to_string(), "100 4200000001");
    let mut out = Vec::new();
    u.attributes.encode(false, &mut out);
    let again = decoded(&update(&out, &NLRI), &OLD);
    assert_eq!(again.attributes, u.attributes);
}

#[test]
fn as4_path_from_a_four_octet_speaker_is_discarded() {
    let u = decoded(&with(&[0xc0, 17, 6, 2, 1, 0, 1, 0, 0]), &NEW);
    assert_eq!(u.attributes.as_path.to_string(), "65002");
    assert_eq!(u.faults[0].action, OnError::Discard);
}

/// RFC 7606 §7 and its companions, one row per rule: attribute octets, cost, kind.
#[test]
#[allow(clippy::too_many_lines, reason = "a flat table")]
fn each_malformed_attribute_costs_what_rfc_7606_says() {
    use FaultKind::{Duplicate, Flags, Length, Misplaced, Overrun, Value};
    use OnError::{Discard, TreatAsWithdraw};
    let rows: &[(&str, &[u8], OnError, FaultKind)] = &[
        (
            "MED of 3 octets §7.4",
            &[0x80, 4, 3, 0, 0, 0],
            TreatAsWithdraw,
            Length,
        ),
        (
            "MED marked transitive §3 c",
            &[0xc0, 4, 4, 0, 0, 0, 1],
            TreatAsWithdraw,
            Flags,
        ),
        (
            "LOCAL_PREF from outside §7.5",
            &[0x40, 5, 4, 0, 0, 0, 1],
            Discard,
            Misplaced,
        ),
        (
            "ATOMIC_AGGREGATE with a value §7.6",
            &[0x40, 6, 1, 0],
            Discard,
            Length,
        ),
        (
            "AGGREGATOR of 6 octets §7.7",
            &[0xc0, 7, 6, 0, 1, 1, 1, 1, 1],
            Discard,
            Length,
        ),
        (
            "COMMUNITIES of 3 octets §7.8",
            &[0xc0, 8, 3, 0, 0, 0],
            TreatAsWithdraw,
            Length,
        ),
        (
            "COMMUNITIES of none §7.8",
            &[0xc0, 8, 0],
            TreatAsWithdraw,
            Length,
        ),
        (
            "ORIGINATOR_ID from outside §7.9",
            &[0x80, 9, 4, 1, 1, 1, 1],
            Discard,
            Misplaced,
        ),
        (
            "CLUSTER_LIST from outside §7.10",
            &[0x80, 10, 4, 1, 1, 1, 1],
            Discard,
            Misplaced,
        ),
        (
            "EXTENDED_COMMUNITIES of 7 §7.14",
            &[0xc0, 16, 7, 0, 0, 0, 0, 0, 0, 0],
            TreatAsWithdraw,
            Length,
        ),
        (
            "LARGE_COMMUNITY of 4, RFC 8092 §6",
            &[0xc0, 32, 4, 0, 0, 0, 0],
            TreatAsWithdraw,
            Length,
        ),
        ("ORIGIN twice §3 g", &[0x40, 1, 1, 0], Discard, Duplicate),
        (
            "an attribute past the end §4",
            &[0x80, 4, 9, 0],
            TreatAsWithdraw,
            Overrun,
        ),
        ("half a header §4", &[0x80], TreatAsWithdraw, Overrun),
    ];
    for (name, extra, action, kind) in rows {
        let u = decoded(&with(extra), &NEW);
        assert_eq!(u.faults.len(), 1, "{name}: {:?}", u.faults);
        assert_eq!(
            (u.faults[0].action, u.faults[0].kind),
            (*action, *kind),
            "{name}"
        );
        assert_eq!(u.treat_as_withdraw(), *action == TreatAsWithdraw, "{name}");
        assert_eq!(u.nets.len(), 1, "{name}");
    }
    let lists: &[(&str, &[u8], FaultKind)] = &[
        ("ORIGIN of value 3 §7.1", &[0x40, 1, 1, 3], Value),
        ("ORIGIN of 2 octets §7.1", &[0x40, 1, 2, 0, 0], Length),
        ("AS_PATH cut off §7.2", &[0x40, 2, 3, 2, 1, 0], Length),
        (
            "AS_PATH of an empty segment §7.2",
            &[0x40, 2, 2, 2, 0],
            Value,
        ),
        (
            "AS_PATH of an unknown segment §7.2",
            &[0x40, 2, 6, 9, 1, 0, 0, 0, 1],
            Value,
        ),
        (
            "AS_PATH with AS 0, RFC 7607 §2",
            &[0x40, 2, 6, 2, 1, 0, 0, 0, 0],
            Value,
        ),
        (
            "NEXT_HOP of 5 octets §7.3",
            &[0x40, 3, 5, 1, 1, 1, 1, 1],
            Length,
        ),
    ];
    for (name, list, kind) in lists {
        let mut rest: Vec<u8> = list.to_vec();
        // The other two mandatory ones follow.
        let parts = [&BASIC[..4], &BASIC[4..13], &BASIC[13..]];
        parts
            .iter()
            .filter(|p| p[1] != list[1])
            .for_each(|p| rest.extend_from_slice(p));
        let u = decoded(&update(&rest, &NLRI), &NEW);
        assert_eq!(u.faults.len(), 1, "{name}: {:?}", u.faults);
        assert_eq!(
            (u.faults[0].kind, u.treat_as_withdraw()),
            (*kind, true),
            "{name}"
        );
    }
}

#[test]
fn internal_peers_meet_the_internal_rules() {
    let rows: [&[u8]; 3] = [
        &[0x40, 5, 3, 0, 0, 0],
        &[0x80, 9, 3, 0, 0, 0],
        &[0x80, 10, 0],
    ];
    for extra in rows {
        let u = decoded(&with(extra), &INTERNAL);
        assert!(u.treat_as_withdraw(), "{extra:?}");
    }
}

#[test]
fn each_missing_mandatory_attribute_withdraws() {
    let parts = [&BASIC[..4], &BASIC[4..13], &BASIC[13..]];
    for missing in 0..3 {
        let list: Vec<u8> = (0..3)
            .filter(|i| *i != missing)
            .flat_map(|i| parts[i].to_vec())
            .collect();
        let u = decoded(&update(&list, &NLRI), &NEW);
        assert_eq!(u.faults[0].kind, FaultKind::Missing);
        assert!(u.treat_as_withdraw());
    }
}

#[test]
fn what_leaves_the_prefixes_unreadable_resets_the_session() {
    let rows: &[(&str, Vec<u8>, (u8, u8))] = &[
        (
            "withdrawn routes past the end",
            framed(2, &[0, 9, 0, 0]),
            (3, 1),
        ),
        ("attributes past the end", framed(2, &[0, 0, 0, 9]), (3, 1)),
        (
            "a prefix of 33 bits",
            update(&BASIC, &[33, 1, 1, 1, 1, 1]),
            (3, 10),
        ),
        ("half a prefix", update(&BASIC, &[24, 1]), (3, 10)),
        (
            "an unknown well-known attribute",
            with(&[0x40, 77, 0]),
            (3, 2),
        ),
        ("MP_REACH_NLRI twice", with(&MP_TWICE), (3, 1)),
        (
            "a next hop of 5 octets",
            with(&[0x80, 14, 10, 0, 2, 1, 5, 1, 1, 1, 1, 1, 0]),
            (3, 5),
        ),
        (
            "MP_UNREACH_NLRI of 2 octets",
            with(&[0x80, 15, 2, 0, 2]),
            (3, 5),
        ),
        (
            "an IPv6 prefix of 129 bits",
            with(&[0x80, 15, 4, 0, 2, 1, 129]),
            (3, 9),
        ),
    ];
    for (name, frame, expected) in rows {
        let (code, sub, _) = fault(frame);
        assert_eq!((code, sub), *expected, "{name}");
    }
    let (.., data) = fault(&with(&[0x40, 77, 0]));
    assert_eq!(data, [0x40, 77, 0], "the data is the attribute");
}

/// Two MP_UNREACH_NLRI without prefixes.
const MP_TWICE: [u8; 12] = [0x80, 15, 3, 0, 2, 1, 0x80, 15, 3, 0, 2, 1];

#[test]
fn prefixes_that_share_attributes_fill_messages_to_the_limit() {
    let nets: Vec<ipnet::IpNet> = (0..2000_u32)
        .map(|n| ipnet::IpNet::new(Ipv4Addr::from(0x0a00_0000 + n * 256).into(), 24).unwrap())
        .collect();
    let attributes = Attributes {
        as_path: AsPath::sequence(&[Asn(65002)]),
        next_hop: Some("10.0.0.2".parse().unwrap()),
        ..Attributes::default()
    };
    let mut out = Vec::new();
    let count = encode_reach(Family::V4, &nets, &attributes, true, &mut out).unwrap();
    // 4 octets a prefix and 4053 octets of room: 1013 in the first message.
    assert_eq!(count, 2);
    let mut framer = Framer::default();
    framer.push(&out);
    let mut back = Vec::new();
    while let Some(frame) = framer.next_frame().unwrap() {
        assert!(frame.len() <= MESSAGE_LEN_MAX);
        back.extend(decoded(frame, &NEW).nets);
    }
    assert_eq!(back, nets);
}

#[test]
fn attributes_that_fill_a_message_alone_are_not_sent() {
    let attributes = Attributes {
        communities: (0..1020).map(Community).collect(),
        next_hop: Some("10.0.0.2".parse().unwrap()),
        ..Attributes::default()
    };
    let nets = ["10.0.0.0/8".parse().unwrap()];
    let mut out = Vec::new();
    assert_eq!(
        encode_reach(Family::V4, &nets, &attributes, true, &mut out),
        None
    );
    assert!(out.is_empty());
}

#[test]
fn frames_come_out_of_any_chunking() {
    let mut stream = framed(4, &[]);
    stream.extend_from_slice(&with(&[]));
    stream.extend_from_slice(&framed(3, &[6, 4]));
    for size in 1..stream.len() {
        let mut framer = Framer::default();
        let mut kinds = Vec::new();
        for chunk in stream.chunks(size) {
            framer.push(chunk);
            while let Some(frame) = framer.next_frame().unwrap() {
                kinds.push(frame[18]);
            }
        }
        assert_eq!(kinds, [4, 2, 3], "chunks of {size}");
        assert!(framer.is_empty());
    }
}
