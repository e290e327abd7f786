//! Cuts a byte stream into messages, whatever the chunking.

use super::{HEADER_LEN, Notification, check_header};

/// Collects bytes and yields whole frames. Holds what was pushed and not yet taken; the caller bounds
/// that by taking frames before pushing more.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    start: usize,
}

impl Framer {
    /// Appends received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// True when no byte is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next whole frame, header included; `None` until more bytes come.
    ///
    /// # Errors
    /// The NOTIFICATION for a faulty header (RFC 4271 §6.1). The stream cannot be read on after it.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, Notification> {
        let held = &self.buffer[self.start..];
        if held.len() < HEADER_LEN {
            return Ok(None);
        }
        let length = check_header(held)?;
        if held.len() < length {
            return Ok(None);
        }
        let from = self.start;
        self.start += length;
        Ok(Some(&self.buffer[from..from + length]))
    }

    /// True when [`Framer::next_frame`] would yield a frame or an error.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let held = &self.buffer[self.start..];
        held.len() >= HEADER_LEN && check_header(held).is_ok_and(|n| held.len() >= n)
            || (held.len() >= HEADER_LEN && check_header(held).is_err())
    }
}
