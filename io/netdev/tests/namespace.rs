//! A TAP device in a network namespace of its own: `unshare -rn cargo test -p skybridge-netdev -- --ignored`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of a test are part of it")]

use std::net::UdpSocket;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use skybridge_netdev::Tap;

fn ip(args: &[&str]) -> String {
    let output = Command::new("ip").args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn next_frame(tap: &mut Tap, buf: &mut [u8]) -> usize {
    let patience = Timespec {
        tv_sec: 5,
        tv_nsec: 0,
    };
    loop {
        if let Some(count) = tap.read(buf).unwrap() {
            return count;
        }
        let ready = poll(&mut [PollFd::new(tap, PollFlags::IN)], Some(&patience)).unwrap();
        assert_eq!(ready, 1, "the kernel sends nothing");
    }
}

#[test]
#[ignore = "needs a network namespace of its own: unshare -rn"]
fn frames_pass_both_ways_and_the_interface_goes_with_its_device() {
    let mut tap = Tap::create("skytap0").unwrap();
    assert_eq!(tap.name(), "skytap0");
    let taken = Tap::create("skytap0").unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::ResourceBusy);
    ip(&["address", "add", "192.0.2.1/24", "dev", "skytap0"]);
    ip(&["link", "set", "skytap0", "up"]);
    // The kernel looks for 192.0.2.2 as soon as it has something to send there.
    let socket = UdpSocket::bind("192.0.2.1:0").unwrap();
    socket.send_to(b"hello", "192.0.2.2:9").unwrap();
    let mut buf = [0; 65_536];
    let request = loop {
        let count = next_frame(&mut tap, &mut buf);
        // Skip what IPv6 says on its own: we wait for an ARP request.
        if buf[12..14] == [0x08, 0x06] {
            break buf[..count].to_vec();
        }
    };
    assert_eq!(request[38..42], [192, 0, 2, 2]);
    let mut reply = request.clone();
    reply[..6].copy_from_slice(&request[6..12]);
    reply[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
    reply[21] = 2;
    reply[22..28].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
    reply[28..32].copy_from_slice(&[192, 0, 2, 2]);
    reply[32..38].copy_from_slice(&request[22..28]);
    reply[38..42].copy_from_slice(&request[28..32]);
    assert!(tap.write(&reply).unwrap());
    // The datagram follows once the kernel has taken our answer in.
    loop {
        let count = next_frame(&mut tap, &mut buf);
        if buf[12..14] == [0x08, 0x00] {
            assert_eq!(count, 14 + 20 + 8 + 5, "Ethernet, IPv4, UDP, hello");
            assert_eq!(buf[count - 5..count], *b"hello");
            assert_eq!(buf[..6], [2, 0, 0, 0, 0, 2]);
            break;
        }
    }
    drop(tap);
    assert!(!ip(&["-o", "link"]).contains("skytap0"));
}
