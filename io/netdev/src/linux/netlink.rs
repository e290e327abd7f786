//! Links, addresses and routes by rtnetlink (RFC 3549, `include/uapi/linux/rtnetlink.h`): the few messages
//! that setting up an interface takes, so that no other program is needed.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use ipnet::IpNet;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use skybridge_base::MacAddr;

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETADDR: u16 = 22;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

const NLM_F_REQUEST: u16 = 0x01;
const NLM_F_ACK: u16 = 0x04;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;

const IFLA_ADDRESS: u16 = 1;
const IFLA_MTU: u16 = 4;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;

/// The address is used at once: nobody else in the world can have it (RFC 4862 §5.4 is about links where
/// somebody may).
const IFA_F_NODAD: u32 = 0x02;
const IFF_UP: u32 = 1;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RTN_UNICAST: u8 = 1;
/// The gateway is on the link even if no prefix says so.
const RTNH_F_ONLINK: u32 = 4;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// A conversation with the kernel about the network namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Opens it in the namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Brings a link up, with this station and MTU where given.
    pub(super) fn set_link(
        &mut self,
        index: u32,
        mac: Option<MacAddr>,
        mtu: Option<u16>,
    ) -> io::Result<()> {
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend(IFF_UP.to_ne_bytes());
        body.extend(IFF_UP.to_ne_bytes());
        if let Some(mac) = mac {
            attribute(&mut body, IFLA_ADDRESS, &mac.0);
        }
        if let Some(mtu) = mtu {
            attribute(&mut body, IFLA_MTU, &u32::from(mtu).to_ne_bytes());
        }
        self.ask(RTM_NEWLINK, 0, &body)
    }

    /// Gives an interface an address, whether or not it has it.
    pub(super) fn add_address(&mut self, index: u32, address: IpNet) -> io::Result<()> {
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.ask(RTM_NEWADDR, flags, &address_body(index, address))
    }

    /// Takes an address away.
    pub(super) fn remove_address(&mut self, index: u32, address: IpNet) -> io::Result<()> {
        self.ask(RTM_DELADDR, 0, &address_body(index, address))
    }

    /// Sets the default route of the gateway's family.
    pub(super) fn set_default_route(&mut self, index: u32, gateway: IpAddr) -> io::Result<()> {
        let (family, octets) = octets_of(gateway);
        // struct rtmsg: no destination is the default route; scope 0 is the universe.
        let mut body = vec![
            family,
            0,
            0,
            0,
            RT_TABLE_MAIN,
            RTPROT_STATIC,
            0,
            RTN_UNICAST,
        ];
        body.extend(RTNH_F_ONLINK.to_ne_bytes());
        attribute(&mut body, RTA_GATEWAY, &octets);
        attribute(&mut body, RTA_OIF, &index.to_ne_bytes());
        self.ask(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &body)
    }

    /// True when an interface has an IPv4 address.
    pub(super) fn has_address(&mut self, index: u32) -> io::Result<bool> {
        // struct ifaddrmsg: the kernel lists every interface's, whatever the index says.
        let mut found = false;
        self.list(
            RTM_GETADDR,
            &[AF_INET, 0, 0, 0, 0, 0, 0, 0],
            |kind, body| {
                let word = body.get(4..8).and_then(|word| word.try_into().ok());
                found |= kind == RTM_NEWADDR && word.map(u32::from_ne_bytes) == Some(index);
            },
        )?;
        Ok(found)
    }

    /// Asks for a list; `take` gets the type and body of each message of the answer.
    fn list(&mut self, kind: u16, body: &[u8], mut take: impl FnMut(u16, &[u8])) -> io::Result<()> {
        self.send(kind, NLM_F_DUMP, body)?;
        let mut answer = vec![0_u8; 32_768];
        loop {
            let (count, _) = rustix::net::recv(&self.socket, &mut answer[..], RecvFlags::empty())?;
            let mut rest = answer.get(..count).unwrap_or_default();
            while let Some((kind, body, next)) = message(rest) {
                match kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => return Err(io::Error::other("the kernel refuses the list")),
                    _ => take(kind, body),
                }
                rest = next;
            }
        }
    }

    /// Sends one request and waits for the kernel's word on it.
    fn ask(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.send(kind, flags | NLM_F_ACK, body)?;
        let mut answer = [0_u8; 8192];
        loop {
            let (count, _) = rustix::net::recv(&self.socket, &mut answer[..], RecvFlags::empty())?;
            let answer = answer.get(..count).unwrap_or_default();
            if let Some(code) = acknowledged(answer, self.sequence) {
                return match code {
                    0 => Ok(()),
                    errno => Err(io::Error::from_raw_os_error(errno)),
                };
            }
        }
    }

    fn send(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.sequence += 1;
        let len = u32::try_from(16 + body.len()).map_err(io::Error::other)?;
        let mut message = Vec::with_capacity(16 + body.len());
        message.extend(len.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend([0; 4]);
        message.extend_from_slice(body);
        rustix::net::send(&self.socket, &message, SendFlags::empty())?;
        Ok(())
    }
}

/// The first message: its type, its body, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let len = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let len = usize::try_from(len).ok()?;
    let body = bytes.get(16..len)?;
    let next = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body, next))
}

/// The error number (0 is none) in an answer to request `sequence`, when that is what it is.
fn acknowledged(answer: &[u8], sequence: u32) -> Option<i32> {
    let word = |at: usize| -> Option<[u8; 4]> { answer.get(at..at + 4)?.try_into().ok() };
    let kind: [u8; 2] = answer.get(4..6)?.try_into().ok()?;
    let is_ours =
        u16::from_ne_bytes(kind) == NLMSG_ERROR && u32::from_ne_bytes(word(8)?) == sequence;
    is_ours.then(|| word(16).map(i32::from_ne_bytes).map(|code| -code))?
}

fn address_body(index: u32, address: IpNet) -> Vec<u8> {
    let (family, octets) = octets_of(address.addr());
    // struct ifaddrmsg; scope 0 is the universe.
    let mut body = vec![family, address.prefix_len(), 0, 0];
    body.extend(index.to_ne_bytes());
    attribute(&mut body, IFA_LOCAL, &octets);
    attribute(&mut body, IFA_ADDRESS, &octets);
    if family == AF_INET6 {
        attribute(&mut body, IFA_FLAGS, &IFA_F_NODAD.to_ne_bytes());
    }
    body
}

fn octets_of(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (AF_INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (AF_INET6, v6.octets().to_vec()),
    }
}

/// Appends an attribute, padded to four octets.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    body.extend(len.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}
