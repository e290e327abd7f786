//! The messages of RFC 4271 §4 and their framing from a byte stream.

mod framer;
mod nlri;
mod notification;
mod open;
mod update;

pub use framer::Framer;
pub use nlri::{PrefixError, decode_prefixes, encode_prefix, prefix_len};
pub use notification::{Notification, code, subcode};
pub use open::{Capability, Open};
pub use update::{
    MpReach, MpUnreach, RouteRefresh, Update, encode_end_of_rib, encode_reach, encode_unreach,
};

use crate::attr::DecodeContext;

/// Longest message (RFC 4271 §4.1).
pub const MESSAGE_LEN_MAX: usize = 4096;
/// Length of the header: marker, length, type (RFC 4271 §4.1).
pub const HEADER_LEN: usize = 19;

/// Type octets (RFC 4271 §4.1, RFC 2918 §3).
mod kind {
    pub(super) const OPEN: u8 = 1;
    pub(super) const UPDATE: u8 = 2;
    pub(super) const NOTIFICATION: u8 = 3;
    pub(super) const KEEPALIVE: u8 = 4;
    pub(super) const ROUTE_REFRESH: u8 = 5;
}

/// A decoded message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// RFC 4271 §4.2.
    Open(Open),
    /// RFC 4271 §4.3.
    Update(Box<Update>),
    /// RFC 4271 §4.5.
    Notification(Notification),
    /// RFC 4271 §4.4.
    Keepalive,
    /// RFC 2918 §3.
    RouteRefresh(RouteRefresh),
}

impl Message {
    /// Decodes one whole frame, header included, as [`Framer`] yields it.
    ///
    /// # Errors
    /// The NOTIFICATION that the fault demands (RFC 4271 §6.1–6.3).
    pub fn decode(frame: &[u8], context: &DecodeContext) -> Result<Self, Notification> {
        let (kind, body) = split_header(frame)?;
        match kind {
            kind::OPEN => Open::decode(body).map(Self::Open),
            kind::UPDATE => Update::decode(body, context).map(|u| Self::Update(Box::new(u))),
            kind::NOTIFICATION => Ok(Self::Notification(Notification {
                code: body[0],
                subcode: body[1],
                data: body[2..].to_vec(),
            })),
            kind::KEEPALIVE => Ok(Self::Keepalive),
            _ => Ok(Self::RouteRefresh(RouteRefresh {
                afi: u16::from_be_bytes([body[0], body[1]]),
                safi: body[3],
            })),
        }
    }

    /// Appends the message without an UPDATE's body building: for OPEN, NOTIFICATION, KEEPALIVE and
    /// ROUTE-REFRESH. UPDATEs are written by [`encode_reach`] and [`encode_unreach`], which split them
    /// to the length limit; an `Update` here is written whole and must fit.
    pub fn encode(&self, four_octet_as: bool, out: &mut Vec<u8>) {
        match self {
            Self::Open(open) => frame(kind::OPEN, out, |o| open.encode_body(o)),
            Self::Update(update) => {
                frame(kind::UPDATE, out, |o| update.encode_body(four_octet_as, o))
            }
            Self::Notification(n) => frame(kind::NOTIFICATION, out, |o| {
                o.extend_from_slice(&[n.code, n.subcode]);
                let room = MESSAGE_LEN_MAX - HEADER_LEN - 2;
                o.extend_from_slice(&n.data[..n.data.len().min(room)]);
            }),
            Self::Keepalive => frame(kind::KEEPALIVE, out, |_| ()),
            Self::RouteRefresh(r) => frame(kind::ROUTE_REFRESH, out, |o| {
                o.extend_from_slice(&r.afi.to_be_bytes());
                o.extend_from_slice(&[0, r.safi]);
            }),
        }
    }
}

/// Writes the header, lets `body` write, then fills the length in.
fn frame(kind: u8, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0xff; 16]);
    out.extend_from_slice(&[0, 0, kind]);
    body(out);
    let len = out.len() - start;
    assert!(
        len <= MESSAGE_LEN_MAX,
        "a message we build exceeds 4096 octets"
    );
    put_u16_at(out, start + 16, len);
}

/// Overwrites two octets with a length that the message limit keeps in range.
fn put_u16_at(out: &mut [u8], at: usize, len: usize) {
    let len = u16::try_from(len).expect("lengths inside a message fit in 16 bits");
    out[at..at + 2].copy_from_slice(&len.to_be_bytes());
}

/// Checks the header (RFC 4271 §6.1) and gives type and body.
fn split_header(frame: &[u8]) -> Result<(u8, &[u8]), Notification> {
    let length = check_header(frame)?;
    let kind = frame[18];
    frame
        .get(HEADER_LEN..length)
        .filter(|_| frame.len() == length)
        .map(|body| (kind, body))
        .ok_or_else(|| bad_length(frame.len()))
}

fn bad_length(length: usize) -> Notification {
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    Notification::new(
        code::HEADER,
        subcode::BAD_MESSAGE_LENGTH,
        length.to_be_bytes().to_vec(),
    )
}

/// The length in a header of at least 19 octets, checked against the type's limits.
fn check_header(head: &[u8]) -> Result<usize, Notification> {
    if head.len() < HEADER_LEN {
        return Err(bad_length(head.len()));
    }
    if head[..16] != [0xff; 16] {
        return Err(Notification::new(
            code::HEADER,
            subcode::NOT_SYNCHRONISED,
            Vec::new(),
        ));
    }
    let length = usize::from(u16::from_be_bytes([head[16], head[17]]));
    let kind = head[18];
    let (min, max) = match kind {
        kind::OPEN => (29, MESSAGE_LEN_MAX),
        kind::UPDATE => (23, MESSAGE_LEN_MAX),
        kind::NOTIFICATION => (21, MESSAGE_LEN_MAX),
        kind::KEEPALIVE => (HEADER_LEN, HEADER_LEN),
        // Longer ones are ORF or enhanced refresh (RFC 5291, 7313), which nobody negotiated here.
        kind::ROUTE_REFRESH => (23, 23),
        // A length out of range is reported before the type, in the order of RFC 4271 §6.1.
        _ if (HEADER_LEN..=MESSAGE_LEN_MAX).contains(&length) => {
            return Err(Notification::new(
                code::HEADER,
                subcode::BAD_MESSAGE_TYPE,
                vec![kind],
            ));
        }
        _ => (HEADER_LEN, MESSAGE_LEN_MAX),
    };
    if length < min || length > max {
        return Err(bad_length(length));
    }
    Ok(length)
}

#[cfg(test)]
mod tests;
