//! The BFD control packet (RFC 5880 §4.1) and the checks of §6.8.6 that need no session.

use std::fmt;

use crate::bytes;

/// Bytes of a packet without authentication.
pub const LEN: usize = 24;

/// UDP destination port of single-hop sessions (RFC 5881 §4).
pub const SINGLE_HOP_PORT: u16 = 3784;

/// UDP source ports are from this range (RFC 5881 §4).
pub const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;

/// A session's state (RFC 5880 §4.1 "Sta").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BfdState {
    /// Held down by its administrator.
    AdminDown,
    /// Down.
    Down,
    /// The peer answers and has not yet seen this end.
    Init,
    /// Up.
    Up,
}

impl BfdState {
    /// All states, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::AdminDown, Self::Down, Self::Init, Self::Up];

    const fn code(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }

    const fn from_code(code: u8) -> Self {
        match code & 3 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }
}

impl fmt::Display for BfdState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// Why a session last left Up (RFC 5880 §4.1 "Diag").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum BfdDiag {
    /// 0.
    #[default]
    None,
    /// 1: control detection time expired.
    ControlDetectionTimeExpired,
    /// 2.
    EchoFunctionFailed,
    /// 3: the neighbour signalled that its session is down.
    NeighborSignaledDown,
    /// 4.
    ForwardingPlaneReset,
    /// 5.
    PathDown,
    /// 6.
    ConcatenatedPathDown,
    /// 7.
    AdministrativelyDown,
    /// 8.
    ReverseConcatenatedPathDown,
    /// 9 to 31.
    Reserved(u8),
}

impl BfdDiag {
    /// The code, 0 to 31.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::ControlDetectionTimeExpired => 1,
            Self::EchoFunctionFailed => 2,
            Self::NeighborSignaledDown => 3,
            Self::ForwardingPlaneReset => 4,
            Self::PathDown => 5,
            Self::ConcatenatedPathDown => 6,
            Self::AdministrativelyDown => 7,
            Self::ReverseConcatenatedPathDown => 8,
            Self::Reserved(code) => code & 0x1f,
        }
    }

    /// From the low five bits of `code`.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 0x1f {
            0 => Self::None,
            1 => Self::ControlDetectionTimeExpired,
            2 => Self::EchoFunctionFailed,
            3 => Self::NeighborSignaledDown,
            4 => Self::ForwardingPlaneReset,
            5 => Self::PathDown,
            6 => Self::ConcatenatedPathDown,
            7 => Self::AdministrativelyDown,
            8 => Self::ReverseConcatenatedPathDown,
            code => Self::Reserved(code),
        }
    }
}

impl fmt::Display for BfdDiag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no diagnostic"),
            Self::ControlDetectionTimeExpired => f.write_str("control detection time expired"),
            Self::EchoFunctionFailed => f.write_str("echo function failed"),
            Self::NeighborSignaledDown => f.write_str("neighbor signaled session down"),
            Self::ForwardingPlaneReset => f.write_str("forwarding plane reset"),
            Self::PathDown => f.write_str("path down"),
            Self::ConcatenatedPathDown => f.write_str("concatenated path down"),
            Self::AdministrativelyDown => f.write_str("administratively down"),
            Self::ReverseConcatenatedPathDown => f.write_str("reverse concatenated path down"),
            Self::Reserved(code) => write!(f, "reserved diagnostic {code}"),
        }
    }
}

/// A control packet. Intervals are in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BfdControl {
    /// Why the sender's session last left Up.
    pub diag: BfdDiag,
    /// The sender's state.
    pub state: BfdState,
    /// P: the sender wants an answer with F.
    pub poll: bool,
    /// F: this answers a P.
    pub fin: bool,
    /// C: the sender's BFD survives its control plane.
    pub control_plane_independent: bool,
    /// A: an authentication section follows.
    pub authentication_present: bool,
    /// D: the sender is in demand mode.
    pub demand: bool,
    /// Missing packets that bring the sender's peer to declare it down.
    pub detect_mult: u8,
    /// The sender's discriminator, never 0.
    pub my_discriminator: u32,
    /// The receiver's discriminator as the sender learnt it, 0 if it has not.
    pub your_discriminator: u32,
    /// The shortest interval at which the sender would like to send.
    pub desired_min_tx_us: u32,
    /// The shortest interval at which the sender can receive; 0 asks for silence.
    pub required_min_rx_us: u32,
    /// As above for echo packets; 0 when echo is not supported.
    pub required_min_echo_rx_us: u32,
}

/// Why a packet is dropped before any session sees it, in the order of RFC 5880 §6.8.6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BfdFault {
    /// The version is not 1.
    Version,
    /// The length field is below 24 (26 with A).
    LengthTooSmall,
    /// The length field exceeds the payload.
    LengthBeyondPayload,
    /// The detect multiplier is zero.
    ZeroDetectMult,
    /// The multipoint bit is set.
    Multipoint,
    /// My discriminator is zero.
    ZeroMyDiscriminator,
    /// Your discriminator is zero although the state is neither Down nor `AdminDown`.
    ZeroYourDiscriminator,
}

/// Checks and reads a UDP payload.
///
/// # Errors
/// The first check of RFC 5880 §6.8.6 that fails.
pub fn parse(payload: &[u8]) -> Result<BfdControl, BfdFault> {
    let [first, second, detect_mult, length] = bytes::array_at(payload, 0);
    // A payload too short for its first word counts as one whose length field lies.
    if payload.len() < 4 {
        return Err(BfdFault::LengthBeyondPayload);
    }
    if first >> 5 != 1 {
        return Err(BfdFault::Version);
    }
    let authentication_present = second & 0x04 != 0;
    let length_min = if authentication_present { 26 } else { LEN };
    if usize::from(length) < length_min {
        return Err(BfdFault::LengthTooSmall);
    }
    if usize::from(length) > payload.len() {
        return Err(BfdFault::LengthBeyondPayload);
    }
    if detect_mult == 0 {
        return Err(BfdFault::ZeroDetectMult);
    }
    if second & 0x01 != 0 {
        return Err(BfdFault::Multipoint);
    }
    let control = BfdControl {
        diag: BfdDiag::from_code(first),
        state: BfdState::from_code(second >> 6),
        poll: second & 0x20 != 0,
        fin: second & 0x10 != 0,
        control_plane_independent: second & 0x08 != 0,
        authentication_present,
        demand: second & 0x02 != 0,
        detect_mult,
        my_discriminator: bytes::u32_at(payload, 4),
        your_discriminator: bytes::u32_at(payload, 8),
        desired_min_tx_us: bytes::u32_at(payload, 12),
        required_min_rx_us: bytes::u32_at(payload, 16),
        required_min_echo_rx_us: bytes::u32_at(payload, 20),
    };
    if control.my_discriminator == 0 {
        return Err(BfdFault::ZeroMyDiscriminator);
    }
    let may_be_unknown = matches!(control.state, BfdState::Down | BfdState::AdminDown);
    if control.your_discriminator == 0 && !may_be_unknown {
        return Err(BfdFault::ZeroYourDiscriminator);
    }
    Ok(control)
}

impl BfdControl {
    /// The packet's bytes. Authentication is not supported: A is never set.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; LEN] {
        let bit = |set: bool, value: u8| if set { value } else { 0 };
        let flags = self.state.code() << 6
            | bit(self.poll, 0x20)
            | bit(self.fin, 0x10)
            | bit(self.control_plane_independent, 0x08)
            | bit(self.demand, 0x02);
        let mut out = [0; LEN];
        let first = 1 << 5 | self.diag.code();
        bytes::put(&mut out, 0, &[first, flags, self.detect_mult, 24]);
        bytes::put(&mut out, 4, &self.my_discriminator.to_be_bytes());
        bytes::put(&mut out, 8, &self.your_discriminator.to_be_bytes());
        bytes::put(&mut out, 12, &self.desired_min_tx_us.to_be_bytes());
        bytes::put(&mut out, 16, &self.required_min_rx_us.to_be_bytes());
        bytes::put(&mut out, 20, &self.required_min_echo_rx_us.to_be_bytes());
        out
    }

    /// Appends the packet.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    const UP: [u8; 24] = [
        0x20, 0xc0, 3, 24,  0, 0, 0, 1,  0, 0, 0, 2,
        0, 0x04, 0x93, 0xe0,  0, 0x04, 0x93, 0xe0,  0, 0, 0, 0,
    ];

    #[test]
    fn a_usual_cloud_packet_is_300_ms_by_three() {
        let control = parse(&UP).unwrap();
        assert_eq!(control.state, BfdState::Up);
        assert_eq!(control.desired_min_tx_us, 300_000);
        assert_eq!(control.required_min_rx_us, 300_000);
        assert_eq!(
            (control.my_discriminator, control.your_discriminator),
            (1, 2)
        );
        assert_eq!(control.to_bytes(), UP);
    }

    #[test]
    fn each_check_of_the_reception_rules_has_its_reason() {
        for (at, byte, fault) in [
            (0, 0x40, BfdFault::Version),
            (3, 23, BfdFault::LengthTooSmall),
            (3, 25, BfdFault::LengthBeyondPayload),
            (1, 0xc4, BfdFault::LengthTooSmall),
            (2, 0, BfdFault::ZeroDetectMult),
            (1, 0xc1, BfdFault::Multipoint),
            (7, 0, BfdFault::ZeroMyDiscriminator),
            (11, 0, BfdFault::ZeroYourDiscriminator),
        ] {
            let mut bytes = UP;
            bytes[at] = byte;
            assert_eq!(parse(&bytes), Err(fault));
        }
        assert_eq!(parse(&UP[..3]), Err(BfdFault::LengthBeyondPayload));
        assert_eq!(parse(&UP[..23]), Err(BfdFault::LengthBeyondPayload));
        let mut down = UP;
        down[1] = 0x40;
        down[11] = 0;
        assert!(parse(&down).is_ok());
    }

    #[test]
    fn every_diagnostic_code_survives() {
        for code in 0..32 {
            assert_eq!(BfdDiag::from_code(code).code(), code);
        }
        for state in BfdState::ALL {
            assert_eq!(BfdState::from_code(state.code()), state);
        }
    }
}
