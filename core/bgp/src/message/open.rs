//! OPEN and its capabilities (RFC 4271 §4.2, RFC 5492, RFC 9072).

use std::net::Ipv4Addr;

use skybridge_base::Asn;

use super::{Notification, code, subcode};
use crate::types::{Families, Family};

/// A capability (RFC 5492 §4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Capability {
    /// Code 1 (RFC 4760 §8).
    Multiprotocol {
        /// Address family identifier.
        afi: u16,
        /// Subsequent address family identifier.
        safi: u8,
    },
    /// Code 2 (RFC 2918 §2).
    RouteRefresh,
    /// Code 65 (RFC 6793 §3).
    FourOctetAs(Asn),
    /// Any other, kept as received.
    Other {
        /// Capability code.
        code: u8,
        /// Capability value.
        data: Vec<u8>,
    },
}

impl Capability {
    const MULTIPROTOCOL: u8 = 1;
    const ROUTE_REFRESH: u8 = 2;
    const FOUR_OCTET_AS: u8 = 65;

    fn decode(code: u8, value: &[u8]) -> Self {
        match (code, value) {
            (Self::MULTIPROTOCOL, [a, b, _, safi]) => Self::Multiprotocol {
                afi: u16::from_be_bytes([*a, *b]),
                safi: *safi,
            },
            (Self::ROUTE_REFRESH, []) => Self::RouteRefresh,
            (Self::FOUR_OCTET_AS, [a, b, c, d]) => {
                Self::FourOctetAs(Asn(u32::from_be_bytes([*a, *b, *c, *d])))
            }
            // One of a wrong length is as good as one not understood: ignored (RFC 5492 §3).
            _ => Self::Other {
                code,
                data: value.to_vec(),
            },
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Multiprotocol { afi, safi } => {
                let [a, b] = afi.to_be_bytes();
                out.extend_from_slice(&[Self::MULTIPROTOCOL, 4, a, b, 0, *safi]);
            }
            Self::RouteRefresh => out.extend_from_slice(&[Self::ROUTE_REFRESH, 0]),
            Self::FourOctetAs(asn) => {
                out.extend_from_slice(&[Self::FOUR_OCTET_AS, 4]);
                out.extend_from_slice(&asn.0.to_be_bytes());
            }
            Self::Other { code, data } => {
                let len = u8::try_from(data.len()).unwrap_or(u8::MAX);
                out.extend_from_slice(&[*code, len]);
                out.extend_from_slice(&data[..usize::from(len)]);
            }
        }
    }
}

/// An OPEN message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// The 2-octet AS field; AS_TRANS when the real number does not fit (RFC 6793 §4.1).
    pub my_as: u16,
    /// Proposed hold time in seconds; 0 or at least 3.
    pub hold_time_s: u16,
    /// BGP identifier, not zero.
    pub router_id: Ipv4Addr,
    /// Capabilities in the order received.
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// The sender's AS: the capability's number when there is one (RFC 6793 §4.1).
    #[must_use]
    pub fn asn(&self) -> Asn {
        self.four_octet_as()
            .unwrap_or_else(|| Asn(u32::from(self.my_as)))
    }

    /// The 4-octet AS capability's number.
    #[must_use]
    pub fn four_octet_as(&self) -> Option<Asn> {
        self.capabilities.iter().find_map(|c| match c {
            Capability::FourOctetAs(asn) => Some(*asn),
            Capability::Multiprotocol { .. }
            | Capability::RouteRefresh
            | Capability::Other { .. } => None,
        })
    }

    /// The families offered; without any multiprotocol capability it is IPv4 (RFC 4760 §8).
    #[must_use]
    pub fn families(&self) -> Families {
        let mut families = Families::default();
        let mut any = false;
        for capability in &self.capabilities {
            if let Capability::Multiprotocol { afi, safi } = capability {
                any = true;
                match Family::from_wire(*afi, *safi) {
                    Some(Family::V4) => families.v4 = true,
                    Some(Family::V6) => families.v6 = true,
                    None => {}
                }
            }
        }
        if any { families } else { Families::V4 }
    }

    /// True when the route refresh capability is offered.
    #[must_use]
    pub fn route_refresh(&self) -> bool {
        self.capabilities.contains(&Capability::RouteRefresh)
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Notification> {
        let fault = |subcode, data| Notification::new(code::OPEN, subcode, data);
        if body[0] != 4 {
            // The data is the largest version supported (RFC 4271 §6.2).
            return Err(fault(subcode::UNSUPPORTED_VERSION, vec![0, 4]));
        }
        let my_as = u16::from_be_bytes([body[1], body[2]]);
        let hold_time_s = u16::from_be_bytes([body[3], body[4]]);
        // RFC 4271 §6.2: one and two seconds must be refused.
        if hold_time_s == 1 || hold_time_s == 2 {
            return Err(fault(
                subcode::UNACCEPTABLE_HOLD_TIME,
                hold_time_s.to_be_bytes().to_vec(),
            ));
        }
        let router_id = Ipv4Addr::new(body[5], body[6], body[7], body[8]);
        if router_id.is_unspecified() {
            return Err(fault(subcode::BAD_BGP_IDENTIFIER, Vec::new()));
        }
        let capabilities = decode_parameters(&body[9..])?;
        let open = Self {
            my_as,
            hold_time_s,
            router_id,
            capabilities,
        };
        // RFC 7607 §2: AS 0 is refused.
        if open.asn() == Asn(0) || my_as == 0 {
            return Err(fault(subcode::BAD_PEER_AS, Vec::new()));
        }
        Ok(open)
    }

    pub(super) fn encode_body(&self, out: &mut Vec<u8>) {
        out.push(4);
        out.extend_from_slice(&self.my_as.to_be_bytes());
        out.extend_from_slice(&self.hold_time_s.to_be_bytes());
        out.extend_from_slice(&self.router_id.octets());
        let mut parameters = Vec::new();
        for capability in &self.capabilities {
            // One parameter per capability: old speakers read that best (RFC 5492 §4 allows both).
            let mut value = Vec::new();
            capability.encode(&mut value);
            let len = u8::try_from(value.len()).expect("a capability we send is short");
            parameters.extend_from_slice(&[2, len]);
            parameters.extend_from_slice(&value);
        }
        let len = u8::try_from(parameters.len()).expect("the capabilities we send are few");
        out.push(len);
        out.extend_from_slice(&parameters);
    }
}

/// Reads the optional parameters, in the plain or the extended form (RFC 9072 §2).
fn decode_parameters(bytes: &[u8]) -> Result<Vec<Capability>, Notification> {
    let malformed = || Notification::new(code::OPEN, subcode::UNSPECIFIC, Vec::new());
    let (extended, mut rest) = match bytes {
        [255, 255, a, b, rest @ ..] => {
            let len = usize::from(u16::from_be_bytes([*a, *b]));
            (
                true,
                Some(rest)
                    .filter(|r| r.len() == len)
                    .ok_or_else(malformed)?,
            )
        }
        [len, rest @ ..] if rest.len() == usize::from(*len) => (false, rest),
        _ => return Err(malformed()),
    };
    let mut capabilities = Vec::new();
    while !rest.is_empty() {
        let (kind, len, tail) = match rest {
            [kind, a, b, tail @ ..] if extended => {
                (*kind, usize::from(u16::from_be_bytes([*a, *b])), tail)
            }
            [kind, len, tail @ ..] if !extended => (*kind, usize::from(*len), tail),
            _ => return Err(malformed()),
        };
        let (value, tail) = tail.split_at_checked(len).ok_or_else(malformed)?;
        if kind != 2 {
            return Err(Notification::new(
                code::OPEN,
                subcode::UNSUPPORTED_PARAMETER,
                Vec::new(),
            ));
        }
        decode_capabilities(value, &mut capabilities).ok_or_else(malformed)?;
        rest = tail;
    }
    Ok(capabilities)
}

fn decode_capabilities(mut bytes: &[u8], out: &mut Vec<Capability>) -> Option<()> {
    while !bytes.is_empty() {
        let [code, len, rest @ ..] = bytes else {
            return None;
        };
        let (value, tail) = rest.split_at_checked(usize::from(*len))?;
        out.push(Capability::decode(*code, value));
        bytes = tail;
    }
    Some(())
}
