//! The file format that carries what a capture knows beside the bytes: where it was taken, which way a
//! frame went, and how many were missed (draft-ietf-opsawg-pcapng; numbers in brackets are its sections).
//!
//! A file is [`beginning`], then a [`packet`] for each frame, then a [`statistics`]; each can be written as
//! soon as it is known, so that a reader follows live. Little-endian, one section, one interface.

use skybridge_base::Instant;

use crate::capture::CaptureDirection;

/// LINKTYPE_ETHERNET (draft-ietf-opsawg-pcaplinktype).
const LINKTYPE_ETHERNET: u16 = 1;

/// Block types (§11.1).
mod block {
    pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE_DESCRIPTION: u32 = 1;
    pub(super) const INTERFACE_STATISTICS: u32 = 5;
    pub(super) const ENHANCED_PACKET: u32 = 6;
}

/// Option codes (§3.5, §4.1 to §4.6); a code means different things in different blocks.
mod option {
    pub(super) const END: u16 = 0;
    pub(super) const SHB_USERAPPL: u16 = 4;
    pub(super) const IF_NAME: u16 = 2;
    pub(super) const IF_DESCRIPTION: u16 = 3;
    pub(super) const IF_TSRESOL: u16 = 9;
    pub(super) const EPB_FLAGS: u16 = 2;
    pub(super) const ISB_STARTTIME: u16 = 2;
    pub(super) const ISB_ENDTIME: u16 = 3;
    pub(super) const ISB_IFRECV: u16 = 4;
    pub(super) const ISB_IFDROP: u16 = 5;
}

/// Byte-order magic (§4.1).
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Resolution of timestamps: 10^-9 s (§4.2).
const NANOSECONDS: u8 = 9;

/// Wall time of an instant, in nanoseconds since 1970. `epoch_ns` is the wall time of the world's beginning.
#[must_use]
pub const fn wall_ns(epoch_ns: u64, at: Instant) -> u64 {
    epoch_ns.saturating_add(at.as_nanos())
}

/// What a file begins with: section header and the one interface, `name`, described for people.
#[must_use]
pub fn beginning(program: &str, name: &str, description: &str) -> Vec<u8> {
    let mut section = Vec::new();
    section.extend_from_slice(&BYTE_ORDER.to_le_bytes());
    // Version 1.0; the section's length is not known while it is written.
    section.extend_from_slice(&[1, 0, 0, 0]);
    section.extend_from_slice(&[0xff; 8]);
    add_option(&mut section, option::SHB_USERAPPL, program.as_bytes());
    add_option(&mut section, option::END, &[]);
    let mut interface = Vec::new();
    interface.extend_from_slice(&LINKTYPE_ETHERNET.to_le_bytes());
    // Reserved; then the snapshot length, 0 for no limit.
    interface.extend_from_slice(&[0; 6]);
    add_option(&mut interface, option::IF_NAME, name.as_bytes());
    add_option(
        &mut interface,
        option::IF_DESCRIPTION,
        description.as_bytes(),
    );
    add_option(&mut interface, option::IF_TSRESOL, &[NANOSECONDS]);
    add_option(&mut interface, option::END, &[]);
    let mut out = Vec::new();
    add_block(&mut out, block::SECTION_HEADER, &section);
    add_block(&mut out, block::INTERFACE_DESCRIPTION, &interface);
    out
}

/// One frame: enhanced packet block with its direction (§4.3). On a link, from `a` to `b` is outbound.
#[must_use]
pub fn packet(at_ns: u64, direction: CaptureDirection, frame: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(frame.len() + 40);
    let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    body.extend_from_slice(&0_u32.to_le_bytes());
    add_time(&mut body, at_ns);
    body.extend_from_slice(&len.to_le_bytes());
    body.extend_from_slice(&len.to_le_bytes());
    body.extend_from_slice(frame);
    pad(&mut body);
    let flags: u32 = match direction {
        CaptureDirection::In | CaptureDirection::BToA => 1,
        CaptureDirection::Out | CaptureDirection::AToB => 2,
    };
    add_option(&mut body, option::EPB_FLAGS, &flags.to_le_bytes());
    add_option(&mut body, option::END, &[]);
    let mut out = Vec::with_capacity(body.len() + 12);
    add_block(&mut out, block::ENHANCED_PACKET, &body);
    out
}

/// Counts of a whole capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statistics {
    /// When it began, nanoseconds since 1970.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// Frames that passed.
    pub seen: u64,
    /// Of those, frames that are not in the file.
    pub dropped: u64,
}

/// The last block: interface statistics (§4.6).
#[must_use]
pub fn statistics(counts: &Statistics) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&0_u32.to_le_bytes());
    add_time(&mut body, counts.end_ns);
    for (code, at_ns) in [
        (option::ISB_STARTTIME, counts.start_ns),
        (option::ISB_ENDTIME, counts.end_ns),
    ] {
        let mut time = Vec::new();
        add_time(&mut time, at_ns);
        add_option(&mut body, code, &time);
    }
    add_option(&mut body, option::ISB_IFRECV, &counts.seen.to_le_bytes());
    add_option(&mut body, option::ISB_IFDROP, &counts.dropped.to_le_bytes());
    add_option(&mut body, option::END, &[]);
    let mut out = Vec::new();
    add_block(&mut out, block::INTERFACE_STATISTICS, &body);
    out
}

/// A timestamp is two words, the high one first, in either byte order (§4.3).
fn add_time(out: &mut Vec<u8>, at_ns: u64) {
    let [a, b, c, d, e, f, g, h] = at_ns.to_le_bytes();
    out.extend_from_slice(&[e, f, g, h, a, b, c, d]);
}

fn add_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    // An option holds at most 65,535 octets; names of links are far shorter, so cutting is theory.
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(value);
    pad(out);
}

fn add_block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let len = u32::try_from(body.len() + 12).unwrap_or(u32::MAX);
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(&len.to_le_bytes());
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    /// Splits a file into block types and bodies, checking both lengths of each.
    fn blocks(mut file: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let mut found = Vec::new();
        while !file.is_empty() {
            let len = word(file, 4) as usize;
            assert_eq!(len % 4, 0);
            assert_eq!(word(file, len - 4) as usize, len, "the length stands twice");
            found.push((word(file, 0), file[8..len - 4].to_vec()));
            file = &file[len..];
        }
        found
    }

    #[test]
    fn a_file_is_a_section_an_interface_packets_and_statistics() {
        let mut file = beginning("skybridge", "wan", "a to b");
        file.extend(packet(1 << 32 | 7, CaptureDirection::AToB, b"abcde"));
        file.extend(statistics(&Statistics {
            start_ns: 1,
            end_ns: 2,
            seen: 3,
            dropped: 2,
        }));
        let blocks = blocks(&file);
        let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [0x0a0d_0d0a, 1, 6, 5]);
        assert_eq!(word(&blocks[0].1, 0), BYTE_ORDER);
        let name = [2, 0, 3, 0, b'w', b'a', b'n', 0];
        assert_eq!(blocks[1].1[8..16], name);
        let body = &blocks[2].1;
        assert_eq!((word(body, 4), word(body, 8)), (1, 7), "high word first");
        assert_eq!((word(body, 12), word(body, 16)), (5, 5));
        assert_eq!(body[20..28], *b"abcde\0\0\0", "padded to a word");
        assert_eq!(body[28..36], [2, 0, 4, 0, 2, 0, 0, 0], "outbound");
    }

    #[test]
    fn what_comes_in_is_inbound() {
        for direction in [CaptureDirection::In, CaptureDirection::BToA] {
            let block = packet(0, direction, b"");
            assert_eq!(block[32], 1);
        }
    }
}
