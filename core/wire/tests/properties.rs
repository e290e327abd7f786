//! What holds for every value: what is emitted is parsed back, and no bytes make a parser panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use skybridge_base::MacAddr;
use skybridge_wire::arp::{self, ArpOperation, ArpRepr};
use skybridge_wire::bfd::{self, BfdControl, BfdDiag, BfdState};
use skybridge_wire::icmpv4::{self, Icmpv4Kind};
use skybridge_wire::icmpv6::{self, Icmpv6Kind};
use skybridge_wire::ipv4::{self, Ipv4Repr};
use skybridge_wire::ipv6::{self, Ipv6Repr};
use skybridge_wire::nd::{self, NdRepr};
use skybridge_wire::tcp::{self, TcpFlags, TcpRepr};
use skybridge_wire::tcp_md5::{self, Md5Fault};
use skybridge_wire::udp::{self, UdpRepr};
use skybridge_wire::{
    EtherType, EthernetRepr, Frame, Tag, Tags, Tpid, checksum, ethernet, flow, protocol,
};

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=max)
}

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr)
}

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from)
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    any::<u128>().prop_map(Ipv6Addr::from)
}

/// Two addresses of one family.
fn ends() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    prop_oneof![
        (v4(), v4()).prop_map(|(a, b)| (IpAddr::V4(a), IpAddr::V4(b))),
        (v6(), v6()).prop_map(|(a, b)| (IpAddr::V6(a), IpAddr::V6(b))),
    ]
}

fn tag() -> impl Strategy<Value = Tag> {
    let tpid = prop_oneof![Just(Tpid::Dot1Q), Just(Tpid::Dot1Ad)];
    (tpid, 0_u16..4096, 0_u8..8, any::<bool>()).prop_map(|(tpid, vid, pcp, dei)| Tag {
        tpid,
        vid,
        pcp,
        dei,
    })
}

fn tags() -> impl Strategy<Value = Tags> {
    prop_oneof![
        Just(Tags::Untagged),
        tag().prop_map(Tags::One),
        (tag(), tag()).prop_map(|(a, b)| Tags::Two(a, b)),
    ]
}

fn ethernet_header() -> impl Strategy<Value = EthernetRepr> {
    let ethertype = any::<u16>()
        .prop_filter("not a tag", |value| Tpid::from_u16(*value).is_none())
        .prop_map(EtherType);
    (mac(), mac(), tags(), ethertype).prop_map(|(dst, src, tags, ethertype)| EthernetRepr {
        dst,
        src,
        tags,
        ethertype,
    })
}

fn ipv4_header() -> impl Strategy<Value = Ipv4Repr> {
    let first = (v4(), v4(), any::<u8>(), any::<u8>(), 0_u8..64, 0_u8..4);
    let rest = (any::<u16>(), any::<bool>(), any::<bool>(), 0_u16..8192);
    (first, rest, 0_usize..200).prop_map(|(first, rest, payload_len)| Ipv4Repr {
        src: first.0,
        dst: first.1,
        protocol: first.2,
        ttl: first.3,
        dscp: first.4,
        ecn: first.5,
        identification: rest.0,
        dont_fragment: rest.1,
        more_fragments: rest.2,
        fragment_offset: rest.3 * 8,
        payload_len,
    })
}

fn ipv4_packet() -> impl Strategy<Value = (Ipv4Repr, Vec<u8>)> {
    (ipv4_header(), bytes(200)).prop_map(|(repr, payload)| {
        let repr = Ipv4Repr {
            payload_len: payload.len(),
            ..repr
        };
        let mut packet = repr.to_bytes().to_vec();
        packet.extend_from_slice(&payload);
        (repr, packet)
    })
}

/// Encoded options of a kind that carry no meaning, at most 20 bytes: a signature still fits.
fn tcp_options() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((20_u8..255, bytes(6)), 0..4).prop_map(|list| {
        let mut out = Vec::new();
        for (kind, data) in list {
            if out.len() + data.len() + 2 <= 20 {
                out.extend_from_slice(&[kind, u8::try_from(data.len() + 2).unwrap_or(2)]);
                out.extend_from_slice(&data);
            }
        }
        let whole = out.len().next_multiple_of(4);
        out.resize(whole, 0);
        out
    })
}

#[derive(Clone, Debug)]
struct Segment {
    ends: (IpAddr, IpAddr),
    ports: (u16, u16),
    numbers: (u32, u32),
    flags: TcpFlags,
    window: u16,
    options: Vec<u8>,
    payload: Vec<u8>,
}

impl Segment {
    fn repr(&self) -> TcpRepr<'_> {
        TcpRepr {
            src_port: self.ports.0,
            dst_port: self.ports.1,
            seq: self.numbers.0,
            ack: self.numbers.1,
            flags: self.flags,
            window: self.window,
            options: &self.options,
        }
    }

    fn emit(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.repr()
            .emit(self.ends.0, self.ends.1, &self.payload, &mut out);
        out
    }
}

fn segment() -> impl Strategy<Value = Segment> {
    let header = (
        any::<(u16, u16)>(),
        any::<(u32, u32)>(),
        any::<u8>(),
        any::<u16>(),
    );
    (ends(), header, tcp_options(), bytes(100)).prop_map(|(ends, header, options, payload)| {
        Segment {
            ends,
            ports: header.0,
            numbers: header.1,
            flags: TcpFlags(header.2),
            window: header.3,
            options,
            payload,
        }
    })
}

proptest! {
    #[test]
    fn ethernet_is_parsed_as_emitted(repr in ethernet_header(), payload in bytes(64)) {
        let mut out = Vec::new();
        repr.emit(&mut out);
        prop_assert_eq!(out.len(), repr.header_len());
        out.extend_from_slice(&payload);
        let view = ethernet::parse(&out).unwrap();
        prop_assert_eq!(view.payload(), &payload[..]);
        // Equality of tags leaves priorities out, so the bytes are compared as well.
        prop_assert_eq!(view.repr(), repr);
        let mut again = Vec::new();
        view.repr().emit(&mut again);
        prop_assert_eq!(&again, &out[..repr.header_len()]);
        let mut frame = Frame::with_headroom(&payload);
        repr.push(&mut frame);
        prop_assert_eq!(frame.bytes(), &out[..]);
        prop_assert_eq!(frame.l3(), &payload[..]);
        prop_assert_eq!(ethernet::pop(&mut frame), Ok(repr));
        prop_assert_eq!(frame.bytes(), &payload[..]);
    }

    #[test]
    fn arp_is_parsed_as_emitted(reply in any::<bool>(), macs in (mac(), mac()), ips in (v4(), v4())) {
        let operation = if reply { ArpOperation::Reply } else { ArpOperation::Request };
        let repr = ArpRepr {
            operation,
            sender_mac: macs.0,
            sender_ip: ips.0,
            target_mac: macs.1,
            target_ip: ips.1,
        };
        prop_assert_eq!(arp::parse(&repr.to_bytes()), Ok(repr));
    }

    #[test]
    fn ipv4_is_parsed_as_emitted((repr, packet) in ipv4_packet()) {
        let view = ipv4::parse(&packet).unwrap();
        prop_assert_eq!(view.repr(), repr);
        prop_assert!(view.is_checksum_valid());
    }

    #[test]
    fn incremental_ipv4_checksums_equal_recomputed_ones(
        (_, packet) in ipv4_packet(), src in v4(), dst in v4(), dscp in 0_u8..64,
    ) {
        let mut changed = packet;
        ipv4::decrement_ttl(&mut changed);
        ipv4::set_src(&mut changed, src);
        ipv4::set_dst(&mut changed, dst);
        ipv4::set_dscp(&mut changed, dscp);
        let mut recomputed = changed.clone();
        ipv4::fill_checksum(&mut recomputed);
        prop_assert_eq!(changed, recomputed);
    }

    #[test]
    fn incremental_sums_equal_recomputed_ones(
        mut data in prop::collection::vec(any::<u8>(), 2..64), at in any::<prop::sample::Index>(), new in any::<[u8; 2]>(),
    ) {
        // A leading one keeps the sum away from all zeroes, the case RFC 1624 §3 sets apart.
        data.insert(0, 1);
        data.insert(1, 1);
        let at = (at.index(data.len() - 3) & !1) + 2;
        let before = checksum::checksum(&data);
        let old = checksum::sum(&data[at..(at + 2).min(data.len())]);
        data[at] = new[0];
        if let Some(second) = data.get_mut(at + 1) {
            *second = new[1];
        }
        let new_sum = checksum::sum(&data[at..(at + 2).min(data.len())]);
        prop_assert_eq!(checksum::update(before, old, new_sum), checksum::checksum(&data));
    }

    #[test]
    fn the_sum_equals_a_word_by_word_one(data in bytes(200)) {
        let mut naive: u32 = 0;
        for pair in data.chunks(2) {
            naive += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            naive = (naive & 0xffff) + (naive >> 16);
        }
        prop_assert_eq!(u32::from(checksum::sum(&data)), naive);
    }

    #[test]
    fn fragments_carry_the_whole_payload_once((repr, packet) in ipv4_packet(), mtu in 28_usize..120) {
        let view = ipv4::parse(&packet).unwrap();
        let parts = ipv4::fragment(&view, mtu);
        if repr.dont_fragment {
            prop_assert!(parts.is_empty());
            return Ok(());
        }
        let mut whole = Vec::new();
        for part in &parts {
            prop_assert!(part.len() <= mtu);
            whole.extend_from_slice(ipv4::parse(part).unwrap().payload());
        }
        prop_assert_eq!(&whole, view.payload());
    }

    #[test]
    fn ipv6_is_parsed_as_emitted(
        ends in (v6(), v6()), small in any::<(u8, u8)>(), class in (0_u8..64, 0_u8..4), flow_label in 0_u32..1 << 20, payload in bytes(64),
    ) {
        let repr = Ipv6Repr {
            src: ends.0,
            dst: ends.1,
            next_header: small.0,
            hop_limit: small.1,
            dscp: class.0,
            ecn: class.1,
            flow_label,
            payload_len: payload.len(),
        };
        let mut out = Vec::new();
        repr.emit(&mut out);
        out.extend_from_slice(&payload);
        prop_assert_eq!(ipv6::parse(&out).unwrap().repr(), repr);
        ipv6::set_dscp(&mut out, 46);
        let expected = Ipv6Repr { dscp: 46, ..repr };
        prop_assert_eq!(ipv6::parse(&out).unwrap().repr(), expected);
    }

    #[test]
    fn icmpv4_is_parsed_as_emitted(choice in 0_u8..5, code in any::<u8>(), words in any::<(u16, u16)>(), rest in any::<[u8; 4]>(), payload in bytes(64)) {
        let kind = match choice {
            0 => Icmpv4Kind::EchoRequest { identifier: words.0, sequence: words.1 },
            1 => Icmpv4Kind::EchoReply { identifier: words.0, sequence: words.1 },
            2 => Icmpv4Kind::Unreachable { code, next_hop_mtu: if code == 4 { words.0 } else { 0 } },
            3 => Icmpv4Kind::TimeExceeded { code },
            _ => Icmpv4Kind::Other { kind: 12, code, rest },
        };
        let mut out = Vec::new();
        icmpv4::emit(kind, &payload, &mut out);
        let view = icmpv4::parse(&out).unwrap();
        prop_assert_eq!(view.kind(), kind);
        prop_assert_eq!(view.payload(), &payload[..]);
        prop_assert!(view.is_checksum_valid());
    }

    #[test]
    fn icmpv6_is_parsed_as_emitted(choice in 0_u8..6, ends in (v6(), v6()), code in any::<u8>(), words in any::<(u16, u16)>(), mtu in any::<u32>(), payload in bytes(64)) {
        let kind = match choice {
            0 => Icmpv6Kind::EchoRequest { identifier: words.0, sequence: words.1 },
            1 => Icmpv6Kind::EchoReply { identifier: words.0, sequence: words.1 },
            2 => Icmpv6Kind::Unreachable { code },
            3 => Icmpv6Kind::PacketTooBig { mtu },
            4 => Icmpv6Kind::TimeExceeded { code },
            _ => Icmpv6Kind::Other { kind: 4, code, rest: mtu.to_be_bytes() },
        };
        let mut out = Vec::new();
        icmpv6::emit(kind, ends.0, ends.1, &payload, &mut out);
        let view = icmpv6::parse(&out).unwrap();
        prop_assert_eq!(view.kind(), kind);
        prop_assert_eq!(view.payload(), &payload[..]);
        prop_assert!(view.is_checksum_valid(ends.0, ends.1));
    }

    #[test]
    fn neighbour_messages_are_parsed_as_emitted(low in any::<(u64, u64, u64)>(), flags in any::<(bool, bool, bool)>(), link in prop::option::of(mac()), solicit in any::<bool>()) {
        let unicast = |low: u64| Ipv6Addr::from(0xfe80_u128 << 112 | u128::from(low));
        let target = unicast(low.0);
        let repr = if solicit {
            NdRepr::Solicitation { target, source_mac: link }
        } else {
            NdRepr::Advertisement {
                target,
                router: flags.0,
                solicited: flags.1,
                overriding: flags.2,
                target_mac: link,
            }
        };
        prop_assert_eq!(nd::parse(&repr.packet(unicast(low.1), unicast(low.2))), Ok(repr));
    }

    #[test]
    fn udp_is_parsed_as_emitted((src, dst) in ends(), ports in any::<(u16, u16)>(), payload in bytes(64)) {
        let repr = UdpRepr { src_port: ports.0, dst_port: ports.1 };
        let mut out = Vec::new();
        repr.emit(src, dst, &payload, &mut out);
        let view = udp::parse(&out).unwrap();
        prop_assert_eq!(view.repr(), repr);
        prop_assert_eq!(view.payload(), &payload[..]);
        prop_assert!(view.checksum() != 0 && view.is_checksum_valid(src, dst));
    }

    #[test]
    fn tcp_is_parsed_as_emitted(segment in segment()) {
        let out = segment.emit();
        let view = tcp::parse(&out).unwrap();
        prop_assert_eq!(view.repr(), segment.repr());
        prop_assert_eq!(view.payload(), &segment.payload[..]);
        prop_assert!(view.is_checksum_valid(segment.ends.0, segment.ends.1));
    }

    #[test]
    fn signing_verifying_and_stripping_is_identity(segment in segment(), key in bytes(100)) {
        let (src, dst) = segment.ends;
        let before = segment.emit();
        let mut out = before.clone();
        tcp_md5::insert_signature(src, dst, &mut out, &key).unwrap();
        prop_assert!(out.len() <= before.len() + tcp_md5::OPTION_SPACE);
        prop_assert!(tcp::parse(&out).unwrap().is_checksum_valid(src, dst));
        tcp_md5::verify_and_strip(src, dst, &mut out, &key).unwrap();
        // Padding inside the options may differ; everything else is what it was.
        let (a, b) = (tcp::parse(&before).unwrap(), tcp::parse(&out).unwrap());
        prop_assert!(a.options().eq(b.options()));
        prop_assert_eq!(a.payload(), b.payload());
        prop_assert_eq!((a.seq(), a.ack(), a.flags()), (b.seq(), b.ack(), b.flags()));
        prop_assert!(b.is_checksum_valid(src, dst));
        prop_assert_eq!(out, before);
    }

    #[test]
    fn any_flipped_bit_that_is_signed_is_noticed(segment in segment(), key in bytes(40), flip in any::<prop::sample::Index>()) {
        let (src, dst) = segment.ends;
        let mut out = segment.emit();
        tcp_md5::insert_signature(src, dst, &mut out, &key).unwrap();
        // The signature is the last option; those before it are not covered (RFC 2385 §2.0).
        let options = 20..tcp::parse(&out).unwrap().header_len() - 18;
        let bit = flip.index(out.len() * 8);
        out[bit / 8] ^= 1 << (bit % 8);
        let verdict = tcp_md5::verify_and_strip(src, dst, &mut out.clone(), &key);
        if (16..18).contains(&(bit / 8)) {
            // A zero is signed in its place; the checksum itself tells.
            prop_assert_eq!(verdict, Ok(()));
            prop_assert!(!tcp::parse(&out).unwrap().is_checksum_valid(src, dst));
        } else if !options.contains(&(bit / 8)) {
            prop_assert!(verdict.is_err(), "bit {bit} passed");
        }
        let mut other_key = key;
        other_key.push(0);
        let mut whole = segment.emit();
        tcp_md5::insert_signature(src, dst, &mut whole, &other_key).unwrap();
        other_key.pop();
        prop_assert_eq!(tcp_md5::verify_and_strip(src, dst, &mut whole, &other_key), Err(Md5Fault::Mismatch));
    }

    #[test]
    fn bfd_is_parsed_as_emitted(diag in 0_u8..32, state in 0_usize..4, flags in any::<(bool, bool, bool, bool)>(), mult in 1_u8..=255, words in any::<(u32, u32, u32)>(), ids in (1_u32.., 1_u32..)) {
        let control = BfdControl {
            diag: BfdDiag::from_code(diag),
            state: BfdState::ALL[state],
            poll: flags.0,
            fin: flags.1,
            control_plane_independent: flags.2,
            authentication_present: false,
            demand: flags.3,
            detect_mult: mult,
            my_discriminator: ids.0,
            your_discriminator: ids.1,
            desired_min_tx_us: words.0,
            required_min_rx_us: words.1,
            required_min_echo_rx_us: words.2,
        };
        prop_assert_eq!(bfd::parse(&control.to_bytes()), Ok(control));
    }

    #[test]
    fn no_bytes_make_a_parser_panic(input in bytes(160), ends in ends(), version in 0_u8..3) {
        let mut input = input;
        // Two thirds of the inputs pass the first check of one of the IP parsers.
        if let Some(first) = input.first_mut() {
            match version {
                0 => *first = 0x45,
                1 => *first = 0x60,
                _ => {}
            }
        }
        exercise(&input, ends);
    }

    #[test]
    fn damaged_packets_make_no_parser_panic(
        (_, packet) in ipv4_packet(), cut in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(), ends in ends(),
    ) {
        let kind = Icmpv4Kind::TimeExceeded { code: 0 };
        let mut error = icmpv4::packet(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST, kind, &packet);
        let bit = flip.index(error.len() * 8);
        error[bit / 8] ^= 1 << (bit % 8);
        exercise(&error, ends);
        exercise(&error[..cut.index(error.len())], ends);
        exercise(&packet, ends);
    }

    #[test]
    fn damaged_segments_and_messages_make_no_parser_panic(
        segment in segment(), flip in any::<prop::sample::Index>(), target in v6(), link in mac(),
    ) {
        let (src, dst) = segment.ends;
        let mut signed = segment.emit();
        tcp_md5::insert_signature(src, dst, &mut signed, b"key").unwrap();
        let solicitation = NdRepr::Solicitation { target, source_mac: Some(link) };
        let request = ArpRepr::request(link, Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
        let messages = [
            signed,
            solicitation.packet(target, nd::solicited_node(target)),
            request.to_bytes().to_vec(),
        ];
        for mut message in messages {
            exercise(&message, segment.ends);
            let bit = flip.index(message.len() * 8);
            message[bit / 8] ^= 1 << (bit % 8);
            exercise(&message, segment.ends);
            exercise(&message[..flip.index(message.len())], segment.ends);
        }
    }

    #[test]
    fn any_chain_of_ipv6_extension_headers_is_walked_or_refused(
        kinds in prop::collection::vec(prop::sample::select(vec![0_u8, 43, 44, 51, 60, 135, 17, 58, 59]), 1..12),
        units in prop::collection::vec(0_u8..3, 12), tail in bytes(40), ends in (v6(), v6()),
    ) {
        let mut payload = Vec::new();
        for (next, units) in kinds.iter().skip(1).zip(&units) {
            payload.extend_from_slice(&[*next, *units, 0, 0, 0, 0, 0, 0]);
            payload.resize(payload.len() + 8 * usize::from(*units), 0);
        }
        payload.extend_from_slice(&tail);
        let mut packet = Vec::new();
        Ipv6Repr::new(ends.0, ends.1, kinds[0], payload.len()).emit(&mut packet);
        packet.extend_from_slice(&payload);
        exercise(&packet, (IpAddr::V6(ends.0), IpAddr::V6(ends.1)));
    }
}

/// Runs every parser and accessor over `input`.
fn exercise(input: &[u8], (src, dst): (IpAddr, IpAddr)) {
    if let Ok(view) = ethernet::parse(input) {
        assert_eq!(view.payload().len(), input.len() - view.repr().header_len());
        assert!(!view.tags().to_string().is_empty());
    }
    if let Ok(packet) = arp::parse(input) {
        assert_eq!(packet.to_bytes(), input[..arp::LEN]);
    }
    if let Ok(packet) = bfd::parse(input) {
        assert!(packet.detect_mult > 0 && packet.my_discriminator > 0);
    }
    assert!(nd::parse(input).is_err() || input.len() >= 64);
    if let Ok(view) = ipv4::parse(input) {
        assert_eq!(view.bytes().len(), usize::from(view.total_len()));
        assert_eq!(
            view.header().len() + view.payload().len(),
            view.bytes().len()
        );
        assert_eq!(view.options().len(), view.header_len() - 20);
        assert!(ipv4::fragment(&view, 68).len() <= input.len());
    }
    if let Ok(upper) = ipv6::parse(input).and_then(|view| view.upper_layer()) {
        assert!(upper.offset <= input.len());
    }
    if let Ok(info) = flow::parse(input) {
        assert!(info.l4_offset <= info.total_len && info.total_len <= input.len());
    }
    if let Some(tuple) = flow::related(input) {
        assert!(!tuple.to_string().is_empty());
        assert!(matches!(input.get(9), Some(&protocol::ICMP)) || input[0] >> 4 == 6);
    }
    if let Ok(view) = tcp::parse(input) {
        assert!(view.options().count() <= 40);
        assert_eq!(view.payload().len() + view.header_len(), input.len());
        let mut filled = input.to_vec();
        tcp::fill_checksum(src, dst, &mut filled);
        assert!(tcp::parse(&filled).is_ok_and(|view| view.is_checksum_valid(src, dst)));
    }
    if let Ok(view) = udp::parse(input) {
        assert_eq!(
            view.payload().len() + 8,
            usize::from(u16::from_be_bytes([input[4], input[5]]))
        );
    }
    let mut segment = input.to_vec();
    if tcp_md5::insert_signature(src, dst, &mut segment, b"key").is_ok() {
        assert_eq!(
            tcp_md5::verify_and_strip(src, dst, &mut segment, b"key"),
            Ok(())
        );
    } else {
        assert_eq!(segment, input);
    }
    let mut segment = input.to_vec();
    if tcp_md5::verify_and_strip(src, dst, &mut segment, b"key").is_err() {
        assert_eq!(segment, input);
    }
    let mut clamped = input.to_vec();
    tcp::clamp_mss(&mut clamped, 1360);
    assert_eq!(clamped.len(), input.len());
    for packet in [
        icmpv4::echo_reply(input),
        icmpv6::echo_reply(input),
        icmpv4::error_packet(
            Ipv4Addr::LOCALHOST,
            Icmpv4Kind::TimeExceeded { code: 0 },
            input,
        ),
        icmpv6::error_packet(
            Ipv6Addr::LOCALHOST,
            Icmpv6Kind::TimeExceeded { code: 0 },
            input,
        ),
    ]
    .into_iter()
    .flatten()
    {
        assert!(flow::parse(&packet).is_ok());
    }
}
