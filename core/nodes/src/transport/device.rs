//! The engine's network device: one packet in, a list of packets out. It lives for one poll.

use smoltcp::phy::{
    Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken,
};
use smoltcp::time::Instant;

/// Lowest MTU handed to the engine, so that its size arithmetic cannot underflow.
pub(super) const MTU_MIN: usize = 256;

#[derive(Debug)]
pub(super) struct QueueDevice {
    pub(super) mtu: usize,
    pub(super) ingress: Option<Vec<u8>>,
    pub(super) egress: Vec<Vec<u8>>,
}

impl QueueDevice {
    pub(super) fn new(mtu: usize, ingress: Option<Vec<u8>>) -> Self {
        Self {
            mtu: mtu.max(MTU_MIN),
            ingress,
            egress: Vec::new(),
        }
    }
}

impl Device for QueueDevice {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Rx, Tx<'_>)> {
        let packet = self.ingress.take()?;
        Some((Rx(packet), Tx(&mut self.egress)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        Some(Tx(&mut self.egress))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        // The shim verifies checksums before the engine sees a packet, and fills them after it has
        // set TTL, code point and signature.
        let mut checksum = ChecksumCapabilities::ignored();
        checksum.ipv4 = Checksum::None;
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities.checksum = checksum;
        capabilities
    }
}

#[derive(Debug)]
pub(super) struct Rx(Vec<u8>);

impl RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

#[derive(Debug)]
pub(super) struct Tx<'a>(&'a mut Vec<Vec<u8>>);

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push(packet);
        result
    }
}
