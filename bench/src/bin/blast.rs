//! `blast send IF DST_MAC SRC_IP DST_IP SIZE SECONDS`: UDP frames of SIZE octets (from the destination address, without FCS) as
//! fast as they go, 64 per system call, by a packet socket past the queueing discipline. Prints frames per second sent.
//!
//! `blast sink IF PORT DELAY SECONDS`: a socket that reads nothing, and after DELAY the frames per second that IF receives.
#![allow(
    unsafe_code,
    clippy::print_stdout,
    reason = "sendmmsg has no safe wrapper; its one call states its contract; a tool prints"
)]

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Frames of one call.
const BURST: usize = 64;
/// The discard port (RFC 863).
const PORT: u16 = 9;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["send", interface, mac, src, dst, size, seconds] => {
            let frames = frames(station(mac)?, (src.parse()?, dst.parse()?), size.parse()?);
            send(interface, &frames, seconds.parse()?)
        }
        ["sink", interface, port, delay, seconds] => sink(
            interface,
            port.parse()?,
            (
                Duration::from_secs_f64(delay.parse()?),
                Duration::from_secs_f64(seconds.parse()?),
            ),
        ),
        _ => bail!(
            "blast send IF DST_MAC SRC_IP DST_IP SIZE SECONDS | blast sink IF PORT DELAY SECONDS"
        ),
    }
}

fn station(text: &str) -> Result<skybridge_base::MacAddr> {
    let octets: Result<Vec<u8>, _> = text
        .split(':')
        .map(|part| u8::from_str_radix(part, 16))
        .collect();
    let octets: [u8; 6] = octets?
        .try_into()
        .ok()
        .context("a station has six octets")?;
    Ok(skybridge_base::MacAddr(octets))
}

/// As many flows as frames of a burst: sources of one host, ports that differ.
fn frames(
    mac: skybridge_base::MacAddr,
    (src, dst): (Ipv4Addr, Ipv4Addr),
    size: usize,
) -> Vec<Vec<u8>> {
    use skybridge_wire::{EtherType, EthernetRepr, Frame, Tags, ipv4, protocol};
    let payload_len = size.saturating_sub(14 + 20 + 8);
    let frame = |number: u16| {
        let mut packet = Vec::new();
        ipv4::Ipv4Repr::new(src, dst, protocol::UDP, 8 + payload_len).emit(&mut packet);
        packet.extend((1024 + number).to_be_bytes());
        packet.extend(PORT.to_be_bytes());
        packet.extend(
            u16::try_from(8 + payload_len)
                .unwrap_or(u16::MAX)
                .to_be_bytes(),
        );
        // Zero: no checksum (RFC 768).
        packet.extend([0; 2]);
        packet.resize(packet.len() + payload_len, 0);
        let mut frame = Frame::with_headroom(&packet);
        EthernetRepr {
            dst: mac,
            src: skybridge_base::MacAddr::local(1),
            tags: Tags::Untagged,
            ethertype: EtherType::IPV4,
        }
        .push(&mut frame);
        frame.bytes().to_vec()
    };
    (0..64).map(frame).collect()
}

fn send(interface: &str, frames: &[Vec<u8>], seconds: f64) -> Result<()> {
    let socket = PacketSocket::open(interface)?;
    let mut parts: Vec<libc::iovec> = (frames.iter())
        .map(|frame| libc::iovec {
            iov_base: frame.as_ptr().cast_mut().cast(),
            iov_len: frame.len(),
        })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = (parts.iter_mut())
        .map(|part| {
            // SAFETY: all zeroes are a valid `mmsghdr`.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let count = u32::try_from(BURST.min(messages.len()))?;
    let start = Instant::now();
    let mut sent = 0_u64;
    while start.elapsed().as_secs_f64() < seconds {
        for _ in 0..8 {
            // SAFETY: `count` messages, each with one part that points to a frame; all of them outlive the
            // call, and the kernel writes nothing but the messages' lengths.
            let taken = unsafe { libc::sendmmsg(socket.0, messages.as_mut_ptr(), count, 0) };
            // A full queue is not an end: the port pushes back.
            sent += u64::try_from(taken).unwrap_or(0);
        }
    }
    println!("{:.0}", sent as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

struct PacketSocket(i32);

impl PacketSocket {
    fn open(interface: &str) -> Result<Self> {
        let name = std::ffi::CString::new(interface)?;
        // SAFETY: the name is a string that ends with a zero.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        // SAFETY: `socket` takes no memory of ours.
        let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
        if index == 0 || socket < 0 {
            return Err(std::io::Error::last_os_error()).context("open a packet socket");
        }
        let on = 1_i32;
        // SAFETY: all zeroes are a valid `sockaddr_ll`.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET)?;
        address.sll_ifindex = i32::try_from(index)?;
        let (int_len, address_len) = (size_of::<i32>(), size_of::<libc::sockaddr_ll>());
        // SAFETY: both pointers are to values of the lengths given that outlive the calls.
        let failed = unsafe {
            libc::setsockopt(
                socket,
                libc::SOL_PACKET,
                libc::PACKET_QDISC_BYPASS,
                (&raw const on).cast(),
                u32::try_from(int_len)?,
            ) != 0
                || libc::bind(
                    socket,
                    (&raw const address).cast(),
                    u32::try_from(address_len)?,
                ) != 0
        };
        if failed {
            return Err(std::io::Error::last_os_error()).context("bind a packet socket");
        }
        Ok(Self(socket))
    }
}

fn sink(interface: &str, port: u16, (delay, time): (Duration, Duration)) -> Result<()> {
    let _unread = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
    thread::sleep(delay);
    let (before, start) = (received(interface)?, Instant::now());
    thread::sleep(time);
    let frames = received(interface)? - before;
    println!("{:.0}", frames as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

/// Frames that an interface has received: the second number behind its name.
fn received(interface: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/net/dev")?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(&format!("{interface}:")));
    let frames = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(frames.context("no such interface")?.parse()?)
}
