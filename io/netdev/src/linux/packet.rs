//! Packet sockets (packet(7)): all frames of an interface that the kernel keeps.
#![allow(
    unsafe_code,
    reason = "packet sockets have no safe wrapper; each call states its contract"
)]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::namespace::index_of;
use crate::is_name;

/// Room for one `struct tpacket_auxdata` with its header.
const CONTROL_LEN: usize = 64;
/// `TP_STATUS_VLAN_VALID` and `TP_STATUS_VLAN_TPID_VALID`.
const VLAN_VALID: u32 = 1 << 4;
const TPID_VALID: u32 = 1 << 6;
/// The kernel does not show us what it sends itself, ours included (Linux 4.20).
const PACKET_IGNORE_OUTGOING: i32 = 23;

/// All frames of an interface, with a header of what is left to be done in front of each.
#[derive(Debug)]
pub(super) struct Packet {
    socket: OwnedFd,
}

/// A tag that the kernel took off a frame: TPID and TCI.
pub(super) type Tag = (u16, u16);

impl Packet {
    /// Opens an interface of the calling thread's namespace.
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        if !is_name(interface) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{interface:?} is no interface name"),
            ));
        }
        let index = i32::try_from(index_of(interface)?).map_err(io::Error::other)?;
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // Protocol 0 receives nothing until the socket is bound: no frame of another interface gets in.
        // SAFETY: `socket` takes no memory of ours.
        let raw = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        let packet = Self { socket };
        packet.set(libc::PACKET_VNET_HDR, &1_i32)?;
        packet.set(libc::PACKET_AUXDATA, &1_i32)?;
        packet.set(PACKET_IGNORE_OUTGOING, &1_i32)?;
        // SAFETY: all zeroes are a valid `packet_mreq`.
        let mut membership: libc::packet_mreq = unsafe { zeroed() };
        membership.mr_ifindex = index;
        membership.mr_type = u16::try_from(libc::PACKET_MR_PROMISC).map_err(io::Error::other)?;
        packet.set(libc::PACKET_ADD_MEMBERSHIP, &membership)?;
        packet.bind(index)?;
        Ok(packet)
    }

    fn bind(&self, index: i32) -> io::Result<()> {
        // SAFETY: all zeroes are a valid `sockaddr_ll`.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
        address.sll_protocol = u16::try_from(libc::ETH_P_ALL)
            .map_err(io::Error::other)?
            .to_be();
        address.sll_ifindex = index;
        let len =
            libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
        let pointer = (&raw const address).cast();
        // SAFETY: the pointer is to a `sockaddr_ll` of `len` octets that outlives the call.
        match unsafe { libc::bind(self.socket.as_raw_fd(), pointer, len) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn set<T: Copy>(&self, option: i32, value: &T) -> io::Result<()> {
        let len = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
        let pointer = (&raw const *value).cast();
        // SAFETY: the kernel reads `len` octets of a value that outlives the call.
        let set = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                option,
                pointer,
                len,
            )
        };
        match set {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Reads a frame with its header behind what is in `buffer`, into its spare capacity. `None`: there is none.
    pub(super) fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<Option<Option<Tag>>> {
        let mut control = [0_u64; CONTROL_LEN / 8];
        let spare = buffer.spare_capacity_mut();
        let mut part = libc::iovec {
            iov_base: spare.as_mut_ptr().cast(),
            iov_len: spare.len(),
        };
        // SAFETY: all zeroes are a valid `msghdr`.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = CONTROL_LEN as _;
        // SAFETY: the message points to one part, the spare capacity, and to the control buffer, both with
        // their true lengths, and both outlive the call.
        let count = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, 0) };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            let nothing = error.kind() == io::ErrorKind::WouldBlock;
            return if nothing { Ok(None) } else { Err(error) };
        };
        // SAFETY: the kernel has filled `count` octets of the spare capacity, no more than there are: without
        // MSG_TRUNC it never says more than it has written.
        unsafe { buffer.set_len(buffer.len() + count) };
        Ok(Some(tag(&message)))
    }
}

/// The tag among the control messages of a received frame.
fn tag(message: &libc::msghdr) -> Option<Tag> {
    // SAFETY: the message is as `recvmsg` left it, its control buffer is aligned for a `cmsghdr` and lives.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: a header that these macros give lies within the control buffer.
        let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
        if level == libc::SOL_PACKET && kind == libc::PACKET_AUXDATA {
            // SAFETY: the data of a PACKET_AUXDATA message is a `tpacket_auxdata`, perhaps not aligned.
            let data: libc::tpacket_auxdata = unsafe {
                libc::CMSG_DATA(header)
                    .cast::<libc::tpacket_auxdata>()
                    .read_unaligned()
            };
            let tpid = if data.tp_status & TPID_VALID != 0 {
                data.tp_vlan_tpid
            } else {
                0x8100
            };
            return (data.tp_status & VLAN_VALID != 0).then_some((tpid, data.tp_vlan_tci));
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

impl AsFd for Packet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
