//! Decoders survive anything; what is encoded decodes to itself.
#![allow(
    clippy::unwrap_used,
    reason = "clippy knows only test functions, not their helpers"
)]

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;
use skybridge_base::Asn;
use skybridge_bgp::attr::{Aggregator, Attributes, DecodeContext, UnknownAttribute};
use skybridge_bgp::message::{
    Capability, Framer, Message, MpReach, MpUnreach, Open, Update, encode_reach,
};
use skybridge_bgp::{AsPath, Community, Family, LargeCommunity, Origin, Segment, SegmentKind};

fn contexts() -> impl Strategy<Value = DecodeContext> {
    (any::<bool>(), any::<bool>()).prop_map(|(four_octet_as, external)| DecodeContext {
        four_octet_as,
        external,
    })
}

fn v4_net() -> impl Strategy<Value = IpNet> {
    (any::<u32>(), 0..=32_u8)
        .prop_map(|(a, len)| IpNet::new(Ipv4Addr::from(a).into(), len).unwrap().trunc())
}

fn v6_net() -> impl Strategy<Value = IpNet> {
    (any::<u128>(), 0..=128_u8)
        .prop_map(|(a, len)| IpNet::new(Ipv6Addr::from(a).into(), len).unwrap().trunc())
}

fn as_path() -> impl Strategy<Value = AsPath> {
    let asns = proptest::collection::vec((1..=u32::MAX).prop_map(Asn), 1..6);
    let segment = (any::<bool>(), asns).prop_map(|(set, asns)| Segment {
        kind: if set {
            SegmentKind::Set
        } else {
            SegmentKind::Sequence
        },
        asns,
    });
    proptest::collection::vec(segment, 0..4).prop_map(|segments| {
        let mut path = AsPath { segments };
        // Neighbouring sequences are one in the canonical form.
        path.segments.dedup_by(|b, a| {
            let join = a.kind == SegmentKind::Sequence && b.kind == a.kind;
            if join {
                a.asns.append(&mut b.asns);
            }
            join
        });
        path
    })
}

prop_compose! {
    fn attributes()(
        origin in prop_oneof![Just(Origin::Igp), Just(Origin::Egp), Just(Origin::Incomplete)],
        as_path in as_path(),
        hop in any::<u32>(),
        med in any::<Option<u32>>(),
        local_pref in any::<Option<u32>>(),
        atomic_aggregate in any::<bool>(),
        aggregator in any::<Option<(u32, u32)>>(),
        communities in proptest::collection::btree_set(any::<u32>(), 0..80),
        large in proptest::collection::btree_set(any::<(u32, u32, u32)>(), 0..4),
        extended in proptest::collection::vec(any::<[u8; 8]>(), 0..4),
        unknown in proptest::collection::btree_map(100_u8..=255, proptest::collection::vec(any::<u8>(), 0..9), 0..3),
    ) -> Attributes {
        Attributes {
            origin,
            as_path,
            next_hop: Some(Ipv4Addr::from(hop).into()),
            med,
            local_pref,
            atomic_aggregate,
            aggregator: aggregator.map(|(asn, a)| Aggregator { asn: Asn(asn), address: a.into() }),
            communities: communities.into_iter().map(Community).collect(),
            large_communities: large
                .into_iter()
                .map(|(global, local1, local2)| LargeCommunity { global, local1, local2 })
                .collect(),
            extended_communities: extended,
            unknown: unknown
                .into_iter()
                .map(|(code, value)| UnknownAttribute { code, value })
                .collect(),
            ..Attributes::default()
        }
    }
}

prop_compose! {
    fn updates()(
        attributes in attributes(),
        withdrawn in proptest::collection::vec(v4_net(), 0..9),
        nets in proptest::collection::vec(v4_net(), 1..9),
        v6 in proptest::collection::vec(v6_net(), 0..9),
        gone in proptest::collection::vec(v6_net(), 0..9),
        hop in any::<u128>(),
        mp in any::<(bool, bool)>(),
    ) -> Update {
        Update {
            withdrawn,
            nets,
            attributes,
            mp_reach: mp.0.then_some(MpReach {
                family: Family::V6,
                next_hop: Ipv6Addr::from(hop).into(),
                link_local: None,
                nets: v6,
            }),
            mp_unreach: mp.1.then_some(MpUnreach { family: Family::V6, nets: gone }),
            faults: Vec::new(),
        }
    }
}

proptest! {
    #[test]
    fn an_update_decodes_to_what_was_encoded(update in updates()) {
        let context = DecodeContext { four_octet_as: true, external: false };
        let mut bytes = Vec::new();
        Message::Update(Box::new(update.clone())).encode(true, &mut bytes);
        prop_assert_eq!(Message::decode(&bytes, &context), Ok(Message::Update(Box::new(update))));
    }

    #[test]
    fn a_path_survives_a_two_octet_session(mut attributes in attributes()) {
        // Sets and sequences count differently, so only pure sequences are sure to survive (RFC 6793 §4.2.3).
        let asns: Vec<Asn> = attributes.as_path.iter().collect();
        attributes.as_path = AsPath::sequence(&asns);
        attributes.aggregator = None;
        let context = DecodeContext { four_octet_as: false, external: false };
        let mut bytes = Vec::new();
        let nets = ["10.0.0.0/8".parse().unwrap()];
        encode_reach(Family::V4, &nets, &attributes, false, &mut bytes).unwrap();
        let Ok(Message::Update(back)) = Message::decode(&bytes, &context) else {
            return Err(TestCaseError::fail("not an UPDATE"));
        };
        prop_assert_eq!(back.attributes, attributes);
    }

    #[test]
    fn an_open_decodes_to_what_was_encoded(
        asn in 1..=u32::MAX,
        hold_time_s in 3..=u16::MAX,
        id in 1..=u32::MAX,
        other in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let open = Open {
            my_as: u16::try_from(asn).unwrap_or(23456),
            hold_time_s,
            router_id: id.into(),
            capabilities: vec![
                Capability::Multiprotocol { afi: 2, safi: 1 },
                Capability::RouteRefresh,
                Capability::FourOctetAs(Asn(asn)),
                Capability::Other { code: 70, data: other },
            ],
        };
        let context = DecodeContext { four_octet_as: true, external: false };
        let mut bytes = Vec::new();
        Message::Open(open.clone()).encode(true, &mut bytes);
        prop_assert_eq!(Message::decode(&bytes, &context), Ok(Message::Open(open)));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), context in contexts(), kind in 0..7_u8) {
        drop(Message::decode(&bytes, &context));
        let mut framed = vec![0xff; 16];
        framed.extend_from_slice(&u16::try_from(19 + bytes.len()).unwrap().to_be_bytes());
        framed.push(kind);
        framed.extend_from_slice(&bytes);
        drop(Message::decode(&framed, &context));
        let list = skybridge_bgp::attr::decode(&bytes, &context);
        prop_assert!(list.faults.len() <= bytes.len());
    }

    #[test]
    fn mutated_updates_never_panic_and_what_remains_encodes(
        update in updates(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        context in contexts(),
    ) {
        let mut bytes = Vec::new();
        Message::Update(Box::new(update)).encode(true, &mut bytes);
        for (at, value) in edits {
            let at = 19 + at.index(bytes.len() - 19);
            bytes[at] = value;
        }
        if let Ok(message) = Message::decode(&bytes, &context) {
            let mut out = Vec::new();
            message.encode(true, &mut out);
            let again = Message::decode(&out, &DecodeContext { four_octet_as: true, external: false });
            prop_assert!(again.is_ok());
        }
    }

    #[test]
    fn chunking_does_not_matter(updates in proptest::collection::vec(updates(), 1..4), size in 1..300_usize) {
        let mut stream = Vec::new();
        for update in &updates {
            Message::Update(Box::new(update.clone())).encode(true, &mut stream);
        }
        let mut framer = Framer::default();
        let mut count = 0;
        for chunk in stream.chunks(size) {
            framer.push(chunk);
            while framer.next_frame().unwrap().is_some() {
                count += 1;
            }
        }
        prop_assert_eq!(count, updates.len());
    }
}
