//! Namespaces and ports of the kernel. They need root, or a user namespace: `unshare -rn`.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of a test are part of it, and a test says when it is skipped"
)]

use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use skybridge_base::{MacAddr, VlanId};
use skybridge_netdev::{
    Buffers, Namespace, Port, Sent, Station, may_make_namespaces, set_up, set_up_without_address,
};
use skybridge_wire::arp::{self, ArpOperation};
use skybridge_wire::{
    ChecksumState, EtherType, EthernetRepr, Frame, Tags, ethernet, ipv4, protocol, tcp,
};

/// True when the tests cannot run here; with `CI=true` that is a failure.
fn skipped() -> bool {
    let able = may_make_namespaces() && std::path::Path::new("/dev/net/tun").exists();
    if !able {
        assert!(
            std::env::var_os("CI").is_none(),
            "needs root and /dev/net/tun"
        );
        println!("skipped: needs root and /dev/net/tun");
    }
    !able
}

fn station(address: &str) -> Station {
    Station {
        mac: MacAddr::local(1),
        addresses: vec![address.parse().unwrap()],
        gateways: vec!["10.9.0.254".parse().unwrap()],
        mtu: 1400,
    }
}

/// Frames of one ethertype that come out, until there is one.
fn await_frame(port: &mut Port, pool: &mut Buffers, wanted: EtherType) -> Frame {
    let until = Instant::now() + Duration::from_secs(10);
    let mut frames = Vec::new();
    loop {
        port.receive(pool, &mut frames, 64).unwrap();
        let found = frames
            .drain(..)
            .find(|frame| ethernet::parse(frame.bytes()).unwrap().ethertype() == wanted);
        if let Some(frame) = found {
            return frame;
        }
        assert!(Instant::now() < until, "the kernel sends nothing");
        let patience = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        poll(&mut [PollFd::new(port, PollFlags::IN)], Some(&patience)).unwrap();
    }
}

fn answer(request: &Frame, pool: &mut Buffers) -> Frame {
    let view = ethernet::parse(request.bytes()).unwrap();
    let packet = arp::parse(view.payload()).unwrap();
    assert_eq!(packet.operation, ArpOperation::Request);
    let mut frame = pool.take(&packet.reply(MacAddr::local(2)).to_bytes());
    EthernetRepr {
        dst: view.src(),
        src: MacAddr::local(2),
        tags: Tags::Untagged,
        ethertype: EtherType::ARP,
    }
    .push(&mut frame);
    frame
}

#[test]
fn a_namespace_host_has_its_station_addresses_and_gateway_without_other_programs() {
    if skipped() {
        return;
    }
    let namespace = Namespace::create().unwrap();
    let mut pool = Buffers::default();
    let mut port = namespace
        .inside(|| {
            let port = Port::tap("eth0")?;
            set_up("eth0", None, &station("10.9.0.1/24"))?;
            Ok(port)
        })
        .unwrap();
    let socket = namespace.inside(|| UdpSocket::bind("10.9.0.1:0")).unwrap();
    socket.send_to(b"by the gateway", "192.0.2.7:9").unwrap();
    let request = await_frame(&mut port, &mut pool, EtherType::ARP);
    let view = ethernet::parse(request.bytes()).unwrap();
    assert_eq!(view.src(), MacAddr::local(1));
    let asked = arp::parse(view.payload()).unwrap();
    assert_eq!(asked.target_ip.to_string(), "10.9.0.254");
    let reply = answer(&request, &mut pool);
    assert_eq!(port.send(reply, &mut pool).unwrap(), Sent::Taken);
    let packet = await_frame(&mut port, &mut pool, EtherType::IPV4);
    assert!(packet.bytes().ends_with(b"by the gateway"));

    // Another address takes the place of the old one, as a changed configuration wants it.
    namespace
        .inside(|| {
            set_up(
                "eth0",
                Some(&station("10.9.0.1/24")),
                &station("10.9.0.2/24"),
            )
        })
        .unwrap();
    assert!(namespace.inside(|| UdpSocket::bind("10.9.0.1:0")).is_err());
    namespace.inside(|| UdpSocket::bind("10.9.0.2:0")).unwrap();
    namespace.inside(|| UdpSocket::bind("127.0.0.1:0")).unwrap();
}

#[test]
fn a_port_counts_what_a_downed_interface_loses_and_goes_on() {
    if skipped() {
        return;
    }
    let namespace = Namespace::create().unwrap();
    let mut pool = Buffers::default();
    let mut port = namespace.inside(|| Port::tap("eth0")).unwrap();
    let sent = port.send(Frame::from_l2(&[0; 60]), &mut pool).unwrap();
    assert_eq!((sent, port.counters().sent_down), (Sent::Lost, 1));
    namespace
        .inside(|| set_up("eth0", None, &station("10.9.0.1/24")))
        .unwrap();
    let sent = port.send(Frame::from_l2(&[0; 60]), &mut pool).unwrap();
    assert_eq!(sent, Sent::Taken);
    let mut odd = Frame::from_l2(&[0; 60]);
    odd.meta.gso_size = 10;
    assert_eq!(port.send(odd, &mut pool).unwrap(), Sent::Lost);
    assert_eq!(port.counters().sent_unfit, 1);
}

/// The next frame that passes `wanted`.
fn await_any(port: &mut Port, pool: &mut Buffers, wanted: impl Fn(&Frame) -> bool) -> Frame {
    let until = Instant::now() + Duration::from_secs(10);
    let mut frames = Vec::new();
    loop {
        port.receive(pool, &mut frames, 64).unwrap();
        if let Some(frame) = frames.drain(..).find(&wanted) {
            return frame;
        }
        assert!(Instant::now() < until, "the kernel sends nothing");
        std::thread::yield_now();
    }
}

#[test]
fn a_packet_port_carries_an_interfaces_frames_with_their_tags_and_super_frames() {
    if skipped() {
        return;
    }
    let namespace = Namespace::create().unwrap();
    let mut pool = Buffers::default();
    let (mut far, mut near) = namespace
        .inside(|| {
            let far = Port::tap("cable")?;
            set_up_without_address("cable")?;
            Ok((far, Port::packet("cable")?))
        })
        .unwrap();
    let tags = Tags::qinq(VlanId::new(100).unwrap(), VlanId::new(7).unwrap());
    let mut sent = pool.take(&[9; 200]);
    let header = EthernetRepr {
        dst: MacAddr::local(7),
        src: MacAddr::local(2),
        tags,
        ethertype: EtherType::IPV4,
    };
    header.push(&mut sent);
    let bytes = sent.bytes().to_vec();
    assert_eq!(far.send(sent, &mut pool).unwrap(), Sent::Taken);
    let came = await_any(&mut near, &mut pool, |frame| frame.len() == bytes.len());
    assert_eq!(came.bytes(), bytes);
    assert_eq!(near.send(came, &mut pool).unwrap(), Sent::Taken);
    let back = await_any(&mut far, &mut pool, |frame| frame.len() == bytes.len());
    assert_eq!(back.bytes(), bytes);

    let large = super_frame(tags);
    let (bytes, meta) = (large.bytes().to_vec(), large.meta);
    assert_eq!(far.send(large, &mut pool).unwrap(), Sent::Taken);
    let came = await_any(&mut near, &mut pool, |frame| frame.len() > 2000);
    assert_eq!(came.bytes(), bytes);
    assert_eq!(
        (came.meta.gso_size, came.meta.csum),
        (meta.gso_size, meta.csum)
    );

    namespace
        .inside(|| set_up("cable", None, &station("10.9.0.1/24")))
        .unwrap();
    let refused = namespace.inside(|| set_up_without_address("cable"));
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

/// A TCP super-frame of three segments whose checksum is still to be filled in.
fn super_frame(tags: Tags) -> Frame {
    let (src, dst) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let mut segment = Vec::new();
    tcp::TcpRepr {
        src_port: 1,
        dst_port: 2,
        seq: 0,
        ack: 0,
        flags: tcp::TcpFlags::ACK,
        window: 1,
        options: &[],
    }
    .emit(IpAddr::V4(src), IpAddr::V4(dst), &[7; 3000], &mut segment);
    let mut packet = Vec::new();
    ipv4::Ipv4Repr::new(src, dst, protocol::TCP, segment.len()).emit(&mut packet);
    packet.extend(segment);
    let mut frame = Frame::with_headroom(&packet);
    frame.meta.gso_size = 1000;
    frame.meta.csum = ChecksumState::Partial {
        start: 20,
        offset: 16,
    };
    EthernetRepr {
        dst: MacAddr::local(7),
        src: MacAddr::local(2),
        tags,
        ethertype: EtherType::IPV4,
    }
    .push(&mut frame);
    frame
}

/// The kernel's version, as far as that says what it can do.
fn linux() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map_while(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap_or(0))
}

/// The kernel cuts what this socket sends into datagrams of so many octets (`UDP_SEGMENT` of udp(7)).
#[allow(unsafe_code, reason = "the option has no safe wrapper")]
fn send_in_trains(socket: &UdpSocket, octets: i32) {
    let len = libc::socklen_t::try_from(size_of::<i32>()).unwrap();
    let option = (&raw const octets).cast();
    // SAFETY: the kernel reads four octets of a value that outlives the call.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            option,
            len,
        )
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

/// Sends a frame back to where it came from. Sums over both addresses and both ports stay what they are.
fn turn_around(frame: &mut Frame) {
    let view = ethernet::parse(frame.bytes()).unwrap();
    let (dst, src) = (view.dst(), view.src());
    ethernet::set_addresses(frame.bytes_mut(), src, dst);
    let packet = &mut frame.bytes_mut()[ethernet::header_len(Tags::Untagged)..];
    let (sources, destinations) = packet[12..20].split_at_mut(4);
    sources.swap_with_slice(destinations);
    let (source, destination) = packet[20..24].split_at_mut(2);
    source.swap_with_slice(destination);
}

#[test]
fn a_programs_train_of_datagrams_crosses_a_port_as_one_frame_each_way() {
    if skipped() {
        return;
    }
    let namespace = Namespace::create().unwrap();
    let mut pool = Buffers::default();
    let mut port = namespace
        .inside(|| {
            let port = Port::tap("eth0")?;
            set_up("eth0", None, &station("10.9.0.1/24"))?;
            Ok(port)
        })
        .unwrap();
    let socket = namespace.inside(|| UdpSocket::bind("10.9.0.1:0")).unwrap();
    socket.connect("10.9.0.7:9").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    send_in_trains(&socket, 1000);
    let sent: Vec<u8> = (0..=250).cycle().take(2500).collect();
    socket.send(&sent).unwrap();
    let request = await_frame(&mut port, &mut pool, EtherType::ARP);
    let reply = answer(&request, &mut pool);
    assert_eq!(port.send(reply, &mut pool).unwrap(), Sent::Taken);
    let mut train = await_frame(&mut port, &mut pool, EtherType::IPV4);
    if linux() < (6, 2) {
        // A kernel that offers no such frames on TAP devices cuts them itself.
        assert_eq!(train.meta.gso_size, 0);
        assert!(train.bytes().ends_with(&sent[..1000]));
        return;
    }
    assert_eq!(train.meta.gso_size, 1000);
    assert!(train.bytes().ends_with(&sent), "{} octets", train.len());
    turn_around(&mut train);
    assert_eq!(port.send(train, &mut pool).unwrap(), Sent::Taken);
    let mut received = Vec::new();
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let mut buffer = [0; 4000];
        let len = socket.recv(&mut buffer).unwrap();
        lengths.push(len);
        received.extend_from_slice(&buffer[..len]);
    }
    assert_eq!(lengths, [1000, 1000, 500]);
    assert!(received == sent);
}

#[test]
fn a_device_that_nobody_reads_loses_frames_and_counts_them_and_never_blocks() {
    if skipped() {
        return;
    }
    let namespace = Namespace::create().unwrap();
    let mut pool = Buffers::default();
    let (mut stalled, mut near) = namespace
        .inside(|| {
            let stalled = Port::tap("cable")?;
            set_up_without_address("cable")?;
            Ok((stalled, Port::packet("cable")?))
        })
        .unwrap();
    let frame = |pool: &mut Buffers| {
        let mut frame = pool.take(&[9; 1400]);
        EthernetRepr {
            dst: MacAddr::local(7),
            src: MacAddr::local(2),
            tags: Tags::Untagged,
            ethertype: EtherType::IPV4,
        }
        .push(&mut frame);
        frame
    };
    let mut taken = 0_u64;
    for _ in 0..5000 {
        let frame = frame(&mut pool);
        taken += u64::from(near.send(frame, &mut pool).unwrap() == Sent::Taken);
    }
    let counters = *near.counters();
    assert!(taken > 0, "{counters:?}");
    assert_eq!(taken + counters.sent_full, 5000, "{counters:?}");
    // Twelfth number: what the kernel itself has dropped on the interface.
    let table = namespace.inside(|| std::fs::read_to_string("/proc/thread-self/net/dev"));
    let table = table.unwrap();
    let line = table
        .lines()
        .find_map(|line| line.trim().strip_prefix("cable:"));
    let dropped: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(11)
        .unwrap()
        .parse()
        .unwrap();
    assert!(counters.sent_full + dropped > 0, "{table}");
    // Once somebody reads, frames pass again.
    let mut frames = Vec::new();
    while stalled.receive(&mut pool, &mut frames, 64).unwrap() > 0 {
        frames.clear();
    }
    let fresh = frame(&mut pool);
    assert_eq!(near.send(fresh, &mut pool).unwrap(), Sent::Taken);
    await_any(&mut stalled, &mut pool, |frame| frame.len() == 1414);
}

#[test]
fn a_namespace_is_known_by_its_descriptor_and_not_by_name() {
    if skipped() {
        return;
    }
    let namespace = Namespace::create().unwrap();
    let link = format!("/proc/self/fd/{}", namespace.number());
    let inode = std::fs::read_link(&link).unwrap();
    assert!(inode.to_string_lossy().starts_with("net:["));
    assert!(Namespace::named("no-such-namespace").unwrap().is_none());
    assert!(Namespace::named("../self").is_err());
}
