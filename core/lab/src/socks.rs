//! The server's side of SOCKS version 5 (RFC 1928): what a client asks for, and the replies.
//!
//! No authentication (method 0) and the command CONNECT, nothing else: a listener is on loopback, so whoever
//! reaches it is on this machine. UDP ASSOCIATE and BIND are refused by their reply code.
//!
//! Bytes go in as they come, in any pieces. At most [`REQUEST_LEN_MAX`] octets are held; what a client sends
//! behind its request is for the target and comes out by [`Negotiation::rest`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest greeting (version, count, 255 methods), or request (with a name of 255 octets), whichever is
/// more, and room for a client that sends both at once.
pub const REQUEST_LEN_MAX: usize = 2 + 255 + 4 + 1 + 255 + 2;

/// Version (RFC 1928 §3).
const VERSION: u8 = 5;
/// "No authentication required" (§3).
const METHOD_NONE: u8 = 0;
/// "No acceptable methods" (§3).
const METHOD_UNACCEPTABLE: u8 = 0xff;
/// CONNECT (§4).
const COMMAND_CONNECT: u8 = 1;

/// Address types (§5).
mod address {
    pub(super) const IPV4: u8 = 1;
    pub(super) const NAME: u8 = 3;
    pub(super) const IPV6: u8 = 4;
}

/// Reply codes (§6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reply {
    /// The connection stands.
    Succeeded = 0,
    /// Our side cannot: a limit, or the sending host does not run.
    GeneralFailure = 1,
    /// No route, no such host, or an ICMP error.
    HostUnreachable = 4,
    /// The host answered with a reset.
    ConnectionRefused = 5,
    /// No answer in time. RFC 1928 has no code for that; this one is what other servers send.
    TtlExpired = 6,
    /// BIND or UDP ASSOCIATE.
    CommandNotSupported = 7,
    /// An address type that is not in §5.
    AddressTypeNotSupported = 8,
}

impl Reply {
    /// The reply (§6). `bound` is our end of the connection; all zeros where there is none.
    #[must_use]
    pub fn to_bytes(self, bound: Option<SocketAddr>) -> Vec<u8> {
        let bound = bound.unwrap_or_else(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        let mut bytes = vec![VERSION, self as u8, 0];
        match bound.ip() {
            IpAddr::V4(v4) => {
                bytes.push(address::IPV4);
                bytes.extend(v4.octets());
            }
            IpAddr::V6(v6) => {
                bytes.push(address::IPV6);
                bytes.extend(v6.octets());
            }
        }
        bytes.extend(bound.port().to_be_bytes());
        bytes
    }
}

/// Where a client wants to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// An address.
    Address(IpAddr),
    /// A name, for us to resolve.
    Name(String),
}

/// What comes of the bytes so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// More is needed.
    More,
    /// Send this, and go on.
    Answer(Vec<u8>),
    /// Connect there, and then send a reply.
    Connect(Destination, u16),
    /// Send this and close.
    Refuse(Vec<u8>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Greeting,
    Request,
    Over,
}

/// One client's negotiation.
#[derive(Clone, Debug)]
pub struct Negotiation {
    held: Vec<u8>,
    stage: Stage,
}

impl Default for Negotiation {
    fn default() -> Self {
        Self {
            held: Vec::new(),
            stage: Stage::Greeting,
        }
    }
}

impl Negotiation {
    /// Octets that can be handed in.
    #[must_use]
    pub fn room(&self) -> usize {
        match self.stage {
            Stage::Greeting | Stage::Request => REQUEST_LEN_MAX - self.held.len(),
            Stage::Over => 0,
        }
    }

    /// Takes bytes, at most [`Negotiation::room`] of them; more are refused as a whole.
    pub fn handle(&mut self, bytes: &[u8]) {
        if bytes.len() <= self.room() {
            self.held.extend_from_slice(bytes);
        }
    }

    /// What to do next; to be called until it is [`Step::More`], or the negotiation is over.
    pub fn poll(&mut self) -> Step {
        let step = match self.stage {
            Stage::Greeting => self.greeting(),
            Stage::Request => self.request(),
            Stage::Over => Some(Step::More),
        };
        step.unwrap_or(Step::More)
    }

    /// What the client sent behind its request.
    #[must_use]
    pub fn rest(self) -> Vec<u8> {
        self.held
    }

    /// Version, number of methods, methods (§3). `None`: not there yet.
    fn greeting(&mut self) -> Option<Step> {
        let version = *self.held.first()?;
        if version != VERSION {
            // Not SOCKS 5: there is no way to say so that such a client would understand.
            self.stage = Stage::Over;
            return Some(Step::Refuse(Vec::new()));
        }
        let count = usize::from(*self.held.get(1)?);
        let methods = self.held.get(2..2 + count)?;
        let accepted = methods.contains(&METHOD_NONE);
        self.held.drain(..2 + count);
        if accepted {
            self.stage = Stage::Request;
            Some(Step::Answer(vec![VERSION, METHOD_NONE]))
        } else {
            self.stage = Stage::Over;
            Some(Step::Refuse(vec![VERSION, METHOD_UNACCEPTABLE]))
        }
    }

    /// Version, command, reserved, address type, address, port (§4). `None`: not there yet.
    fn request(&mut self) -> Option<Step> {
        let [version, command, _reserved, kind] = *self.held.first_chunk()?;
        let refusal = if version != VERSION {
            Some(Reply::GeneralFailure)
        } else if command != COMMAND_CONNECT {
            Some(Reply::CommandNotSupported)
        } else if !matches!(kind, address::IPV4 | address::NAME | address::IPV6) {
            Some(Reply::AddressTypeNotSupported)
        } else {
            None
        };
        if let Some(reply) = refusal {
            self.stage = Stage::Over;
            return Some(Step::Refuse(reply.to_bytes(None)));
        }
        let (destination, end) = self.destination(kind)?;
        let [high, low] = *self.held.get(end..)?.first_chunk()?;
        self.held.drain(..end + 2);
        self.stage = Stage::Over;
        Some(match destination {
            Some(destination) => Step::Connect(destination, u16::from_be_bytes([high, low])),
            // A name that is no text names nothing.
            None => Step::Refuse(Reply::HostUnreachable.to_bytes(None)),
        })
    }

    /// The address, and where it ends.
    fn destination(&self, kind: u8) -> Option<(Option<Destination>, usize)> {
        let at = self.held.get(4..)?;
        match kind {
            address::IPV4 => {
                let octets: [u8; 4] = *at.first_chunk()?;
                let address = Ipv4Addr::from(octets);
                Some((Some(Destination::Address(address.into())), 8))
            }
            address::IPV6 => {
                let octets: [u8; 16] = *at.first_chunk()?;
                let address = Ipv6Addr::from(octets);
                Some((Some(Destination::Address(address.into())), 20))
            }
            _ => {
                let len = usize::from(*at.first()?);
                let name = std::str::from_utf8(at.get(1..1 + len)?).ok();
                let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
                Some((name.map(named), 5 + len))
            }
        }
    }
}

/// Clients that resolve nothing themselves also send addresses as names.
fn named(name: String) -> Destination {
    name.parse()
        .map_or(Destination::Name(name), Destination::Address)
}

#[cfg(test)]
mod tests;
