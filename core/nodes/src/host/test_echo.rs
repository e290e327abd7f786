//! The labelled test echo: what answers on a service when there is no real server.

use super::pg_echo::{PgEcho, is_startup};

/// One client's conversation with the test echo.
///
/// It returns every byte as it came. Only when the conversation begins as PostgreSQL's does (an
/// encryption request or a startup message), it answers as a server would whose every row says
/// `skybridge test echo`.
#[derive(Debug, Default)]
pub struct TestEcho {
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    /// Fewer than eight bytes, which could still become a PostgreSQL startup.
    Undecided(Vec<u8>),
    Plain,
    Postgres(Box<PgEcho>),
}

impl Default for Mode {
    fn default() -> Self {
        Self::Undecided(Vec::new())
    }
}

impl TestEcho {
    /// A fresh conversation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the client in any chunking; gives the answer.
    pub fn handle(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match &mut self.mode {
            Mode::Plain => out.extend_from_slice(bytes),
            Mode::Postgres(pg) => pg.handle(bytes, &mut out),
            Mode::Undecided(held) => {
                held.extend_from_slice(bytes);
                let held = std::mem::take(held);
                self.decide(held, &mut out);
            }
        }
        out
    }

    /// The client will send no more: what was held back, if anything.
    pub fn finish(&mut self) -> Vec<u8> {
        match &mut self.mode {
            Mode::Undecided(held) => std::mem::take(held),
            Mode::Plain | Mode::Postgres(_) => Vec::new(),
        }
    }

    /// The conversation is over: close when the answer has been sent.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.mode {
            Mode::Postgres(pg) => pg.is_finished(),
            Mode::Undecided(_) | Mode::Plain => false,
        }
    }

    fn decide(&mut self, held: Vec<u8>, out: &mut Vec<u8>) {
        match held.first_chunk::<8>() {
            Some(first) if is_startup(*first) => {
                let mut pg = Box::new(PgEcho::new());
                pg.handle(&held, out);
                self.mode = Mode::Postgres(pg);
            }
            // A startup's length is below 2^16: its first two bytes are zero.
            None if held.iter().take(2).all(|byte| *byte == 0) => {
                self.mode = Mode::Undecided(held);
            }
            _ => {
                out.extend_from_slice(&held);
                self.mode = Mode::Plain;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_bytes_come_back_at_once() {
        let mut echo = TestEcho::new();
        assert_eq!(echo.handle(b"h"), b"h");
        assert_eq!(echo.handle(b"\x00\x00"), b"\x00\x00");
        assert!(!echo.is_finished());
    }

    #[test]
    fn zeros_are_held_only_until_they_cannot_be_a_startup() {
        let mut echo = TestEcho::new();
        assert_eq!(echo.handle(&[0, 0, 0]), b"");
        assert_eq!(echo.handle(&[8, 1, 2, 3, 4]), [0, 0, 0, 8, 1, 2, 3, 4]);
        let mut echo = TestEcho::new();
        assert_eq!(echo.handle(&[0, 0]), b"");
        assert_eq!(echo.finish(), [0, 0]);
    }

    #[test]
    fn a_postgresql_client_is_answered_in_its_protocol() {
        let mut echo = TestEcho::new();
        assert_eq!(echo.handle(&[0, 0, 0, 8]), b"");
        assert_eq!(echo.handle(&[4, 210, 22, 47]), b"N");
    }
}
