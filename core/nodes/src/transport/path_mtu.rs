//! Path MTUs learned from ICMP (RFC 1191, RFC 8201).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use skybridge_base::Instant;

use super::PATH_MTUS_MAX;

/// How long a learned value holds (RFC 1191 §6.3 recommends ten minutes).
const LIFETIME: Duration = Duration::from_secs(600);
/// No path is believed to be narrower, whatever an ICMP message claims.
const MTU_MIN_V4: u16 = 552;
/// RFC 8201 §4: never below the IPv6 minimum link MTU.
const MTU_MIN_V6: u16 = 1280;
/// Plateaus for routers that report no MTU (RFC 1191 §7.1).
const PLATEAUS: [u16; 8] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 576];

#[derive(Debug, Default)]
pub(super) struct PathMtus {
    by_remote: BTreeMap<IpAddr, (u16, Instant)>,
}

impl PathMtus {
    /// The path MTU towards `remote`, when one below `mtu` is known.
    pub(super) fn limit(&self, now: Instant, remote: IpAddr, mtu: u16) -> u16 {
        match self.by_remote.get(&remote) {
            Some((learned, until)) if *until > now => mtu.min(*learned),
            _ => mtu,
        }
    }

    /// Learns from an error about a packet of `packet_len` octets; gives the new value when it is
    /// lower than what was known.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        remote: IpAddr,
        reported: u16,
        packet_len: u16,
    ) -> Option<u16> {
        let floor = if remote.is_ipv4() {
            MTU_MIN_V4
        } else {
            MTU_MIN_V6
        };
        let value = if reported == 0 {
            PLATEAUS
                .into_iter()
                .find(|plateau| *plateau < packet_len)
                .unwrap_or(floor)
        } else {
            reported
        };
        let value = value.max(floor);
        // A report that does not lower the size is stale or forged (RFC 1191 §6.3 note).
        if value >= self.limit(now, remote, packet_len) {
            return None;
        }
        if self.by_remote.len() >= PATH_MTUS_MAX && !self.by_remote.contains_key(&remote) {
            let oldest = self.by_remote.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(oldest) = oldest.map(|(remote, _)| *remote) {
                self.by_remote.remove(&oldest);
            }
        }
        self.by_remote.insert(remote, (value, now + LIFETIME));
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn a_reported_mtu_holds_for_ten_minutes_and_never_rises() {
        let mut mtus = PathMtus::default();
        let now = Instant::from_secs(1);
        assert_eq!(mtus.learn(now, REMOTE, 1400, 1500), Some(1400));
        assert_eq!(mtus.learn(now, REMOTE, 1450, 1500), None);
        assert_eq!(mtus.limit(Instant::from_secs(600), REMOTE, 1500), 1400);
        assert_eq!(mtus.limit(Instant::from_secs(602), REMOTE, 1500), 1500);
    }

    #[test]
    fn a_router_without_next_hop_mtu_means_the_next_plateau() {
        let mut mtus = PathMtus::default();
        assert_eq!(mtus.learn(Instant::ZERO, REMOTE, 0, 1500), Some(1492));
        assert_eq!(mtus.learn(Instant::ZERO, REMOTE, 0, 1492), Some(1006));
    }

    #[test]
    fn a_forged_tiny_mtu_is_raised_to_the_floor() {
        let mut mtus = PathMtus::default();
        assert_eq!(mtus.learn(Instant::ZERO, REMOTE, 68, 1500), Some(552));
    }

    #[test]
    fn the_oldest_path_is_forgotten_at_the_limit() {
        let mut mtus = PathMtus::default();
        let address = |i: usize| IpAddr::from(u32::try_from(i).unwrap().to_be_bytes());
        for i in 0..=PATH_MTUS_MAX {
            mtus.learn(Instant::from_secs(i as u64), address(i), 1000, 1500);
        }
        let now = Instant::from_secs(300);
        assert_eq!(mtus.limit(now, address(0), 1500), 1500);
        assert_eq!(mtus.limit(now, address(1), 1500), 1000);
    }
}
