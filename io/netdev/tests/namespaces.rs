//! Namespaces and ports of the kernel. They need root, or a user namespace: `unshare -rn`.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of a test are part of it, and a test says when it is skipped"
)]

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use skybridge_base::MacAddr;
use skybridge_netdev::{Namespace, Port, Sent, Station, may_make_namespaces, set_up};
use skybridge_wire::arp::{self, ArpOperation};
use skybridge_wire::{EtherType, EthernetRepr, Frame, FramePool, Tags, ethernet};

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
fn await_frame(port: &mut Port, pool: &mut FramePool, wanted: EtherType) -> Frame {
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

fn answer(request: &Frame, pool: &mut FramePool) -> Frame {
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
    let mut pool = FramePool::new(64);
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
    let mut pool = FramePool::new(64);
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

#[test]
fn nothing_is_left_of_a_namespace_that_nobody_holds() {
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
