//! Enough of a PostgreSQL server for a client's round trip, labelled as a test echo in every answer.
//!
//! Message formats: PostgreSQL documentation, chapter "Frontend/Backend Protocol", sections "Message
//! Flow" and "Message Formats" (protocol 3.0). Every statement that returns rows returns one row of
//! one text column that says `skybridge test echo`; transaction control and `SET` succeed; anything
//! else is refused with SQLSTATE 0A000, because nothing is stored.

use std::collections::BTreeMap;

/// What every row says.
const LABEL: &str = "skybridge test echo";
/// Drivers read a number in front; the parenthesis says what it really is.
const SERVER_VERSION: &str = "16.0 (skybridge-test-echo)";
/// Longest message taken from a client.
const MESSAGE_LEN_MAX: usize = 64 * 1024;
/// Prepared statements and portals of one connection, each.
const STATEMENTS_MAX: usize = 64;
/// The object id of type `text`.
const TEXT_OID: u32 = 25;

/// Request codes in the place of a protocol version.
const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;

/// True when 8 bytes begin a PostgreSQL conversation.
pub(super) fn is_startup(first: [u8; 8]) -> bool {
    let [a, b, c, d, e, f, g, h] = first;
    let len = u32::from_be_bytes([a, b, c, d]);
    let code = u32::from_be_bytes([e, f, g, h]);
    let request = matches!(code, CANCEL_REQUEST | SSL_REQUEST | GSSENC_REQUEST);
    (8..=10_000).contains(&len) && (request || code >> 16 == 3)
}

/// One client's conversation.
#[derive(Debug)]
pub(super) struct PgEcho {
    input: Vec<u8>,
    started: bool,
    finished: bool,
    /// After an error in the extended protocol, everything up to Sync is skipped.
    skipping: bool,
    in_transaction: bool,
    statements: BTreeMap<Vec<u8>, String>,
    portals: BTreeMap<Vec<u8>, String>,
}

/// What a statement does here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Empty,
    Row,
    /// Succeeds with this tag; the flag is the transaction state after it, if it changes.
    Done(&'static str, Option<bool>),
    Refused,
}

impl PgEcho {
    pub(super) fn new() -> Self {
        Self {
            input: Vec::new(),
            started: false,
            finished: false,
            skipping: false,
            in_transaction: false,
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
        }
    }

    /// The client has said goodbye, or cannot be understood: close after the output.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Takes bytes from the client, appends the answer.
    pub(super) fn handle(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.input.extend_from_slice(bytes);
        while !self.finished {
            let type_len = usize::from(self.started);
            let Some(len) = self
                .input
                .get(type_len..)
                .and_then(<[u8]>::first_chunk::<4>)
            else {
                return;
            };
            let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
            if !(4..=MESSAGE_LEN_MAX).contains(&len) {
                error(out, "08P01", "message length out of range");
                self.finished = true;
                return;
            }
            if self.input.len() < type_len + len {
                return;
            }
            let message: Vec<u8> = self.input.drain(..type_len + len).collect();
            let body = message.get(type_len + 4..).unwrap_or(&[]);
            if self.started {
                self.on_message(message.first().copied().unwrap_or(0), body, out);
            } else {
                self.on_startup(body, out);
            }
        }
    }

    fn on_startup(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let code = body
            .first_chunk::<4>()
            .map(|code| u32::from_be_bytes(*code));
        match code {
            // "The server then responds with a single byte": N, no encryption.
            Some(SSL_REQUEST | GSSENC_REQUEST) => out.push(b'N'),
            Some(code) if code >> 16 == 3 => {
                self.started = true;
                if code & 0xffff != 0 {
                    // NegotiateProtocolVersion: minor version 0, no options understood.
                    message(out, b'v', |body| body.extend_from_slice(&[0; 8]));
                }
                // AuthenticationOk.
                message(out, b'R', |body| body.extend_from_slice(&[0; 4]));
                for (name, value) in [
                    ("server_version", SERVER_VERSION),
                    ("server_encoding", "UTF8"),
                    ("client_encoding", "UTF8"),
                    ("DateStyle", "ISO, MDY"),
                    ("integer_datetimes", "on"),
                    ("standard_conforming_strings", "on"),
                    ("TimeZone", "UTC"),
                ] {
                    message(out, b'S', |body| {
                        text(body, name);
                        text(body, value);
                    });
                }
                // BackendKeyData: process and secret that no cancel request will find.
                message(out, b'K', |body| body.extend_from_slice(&[0; 8]));
                self.ready(out);
            }
            _ => self.finished = true,
        }
    }

    fn on_message(&mut self, kind: u8, body: &[u8], out: &mut Vec<u8>) {
        match kind {
            b'X' => self.finished = true,
            b'S' => {
                self.skipping = false;
                self.ready(out);
            }
            _ if self.skipping => {}
            b'Q' => {
                self.on_query(&first_text(body).0, out);
                self.ready(out);
            }
            b'P' => self.on_parse(body, out),
            b'B' => self.on_bind(body, out),
            b'D' => self.on_describe(body, out),
            b'E' => self.on_execute(body, out),
            b'C' => {
                let (name, _) = first_bytes(body.get(1..).unwrap_or(&[]));
                if body.first() == Some(&b'S') {
                    self.statements.remove(name);
                } else {
                    self.portals.remove(name);
                }
                message(out, b'3', |_| {});
            }
            // Flush: everything is sent at once anyway. Password: nobody asked for one.
            b'H' | b'p' => {}
            _ => self.refuse(out, "08P01", "message type not answered by the test echo"),
        }
    }

    fn on_query(&mut self, query: &str, out: &mut Vec<u8>) {
        let statements = split_statements(query);
        if statements.is_empty() {
            message(out, b'I', |_| {});
            return;
        }
        for statement in statements {
            match answer(statement) {
                Answer::Row => row_description(out),
                Answer::Empty | Answer::Done(..) | Answer::Refused => {}
            }
            if !self.execute(statement, out) {
                return;
            }
        }
    }

    /// Answers one statement without describing its rows; false when it is refused.
    fn execute(&mut self, statement: &str, out: &mut Vec<u8>) -> bool {
        match answer(statement) {
            Answer::Empty => message(out, b'I', |_| {}),
            Answer::Row => {
                message(out, b'D', |body| {
                    body.extend_from_slice(&1_u16.to_be_bytes());
                    body.extend_from_slice(&length(LABEL.len()).to_be_bytes());
                    body.extend_from_slice(LABEL.as_bytes());
                });
                message(out, b'C', |body| text(body, "SELECT 1"));
            }
            Answer::Done(tag, transaction) => {
                self.in_transaction = transaction.unwrap_or(self.in_transaction);
                message(out, b'C', |body| text(body, tag));
            }
            Answer::Refused => {
                let why = "skybridge test echo: only statements that return rows are answered";
                error(out, "0A000", why);
                return false;
            }
        }
        true
    }

    fn on_parse(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let (name, rest) = first_bytes(body);
        if self.statements.len() >= STATEMENTS_MAX && !self.statements.contains_key(name) {
            self.refuse(out, "53400", "too many prepared statements");
            return;
        }
        let (query, _) = first_text(rest);
        self.statements.insert(name.to_vec(), query);
        message(out, b'1', |_| {});
    }

    fn on_bind(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let (portal, rest) = first_bytes(body);
        let (name, _) = first_bytes(rest);
        let full = self.portals.len() >= STATEMENTS_MAX && !self.portals.contains_key(portal);
        match self.statements.get(name).cloned() {
            Some(query) if !full => {
                self.portals.insert(portal.to_vec(), query);
                message(out, b'2', |_| {});
            }
            Some(_) => self.refuse(out, "53400", "too many portals"),
            None => self.refuse(out, "26000", "prepared statement does not exist"),
        }
    }

    fn on_describe(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let (name, _) = first_bytes(body.get(1..).unwrap_or(&[]));
        let of_statement = body.first() == Some(&b'S');
        let found = if of_statement {
            self.statements.get(name)
        } else {
            self.portals.get(name)
        };
        let Some(query) = found else {
            self.refuse(out, "26000", "nothing of this name to describe");
            return;
        };
        if of_statement {
            let count = parameter_count(query);
            message(out, b't', |body| {
                body.extend_from_slice(&count.to_be_bytes());
                for _ in 0..count {
                    body.extend_from_slice(&TEXT_OID.to_be_bytes());
                }
            });
        }
        match answer(query) {
            Answer::Row => row_description(out),
            Answer::Empty | Answer::Done(..) | Answer::Refused => message(out, b'n', |_| {}),
        }
    }

    fn on_execute(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let (name, _) = first_bytes(body);
        let Some(query) = self.portals.get(name).cloned() else {
            self.refuse(out, "34000", "portal does not exist");
            return;
        };
        if !self.execute(&query, out) {
            self.skipping = true;
        }
    }

    fn refuse(&mut self, out: &mut Vec<u8>, code: &str, why: &str) {
        error(out, code, why);
        self.skipping = true;
    }

    fn ready(&self, out: &mut Vec<u8>) {
        let status = if self.in_transaction { b'T' } else { b'I' };
        message(out, b'Z', |body| body.push(status));
    }
}

fn answer(statement: &str) -> Answer {
    let word: String = statement
        .trim_start()
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    match word.as_str() {
        "" => Answer::Empty,
        "SELECT" | "SHOW" | "VALUES" | "TABLE" | "WITH" => Answer::Row,
        "BEGIN" | "START" => Answer::Done("BEGIN", Some(true)),
        "COMMIT" | "END" => Answer::Done("COMMIT", Some(false)),
        "ROLLBACK" | "ABORT" => Answer::Done("ROLLBACK", Some(false)),
        "SET" => Answer::Done("SET", None),
        "DISCARD" => Answer::Done("DISCARD ALL", None),
        _ => Answer::Refused,
    }
}

/// Statements between semicolons outside quotes, without empty ones.
fn split_statements(query: &str) -> Vec<&str> {
    let mut quote = None;
    query
        .split(|c| {
            match (quote, c) {
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), c) if c == open => quote = None,
                _ => {}
            }
            quote.is_none() && c == ';'
        })
        .filter(|statement| !statement.trim().is_empty())
        .collect()
}

/// The highest `$n` in a query.
fn parameter_count(query: &str) -> u16 {
    let numbers = query.split('$').skip(1).filter_map(|after| {
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u16>().ok()
    });
    numbers.max().unwrap_or(0).min(1000)
}

fn row_description(out: &mut Vec<u8>) {
    message(out, b'T', |body| {
        body.extend_from_slice(&1_u16.to_be_bytes());
        text(body, "skybridge");
        // No table, no column of one.
        body.extend_from_slice(&[0; 6]);
        body.extend_from_slice(&TEXT_OID.to_be_bytes());
        // Variable length, no modifier, text format.
        body.extend_from_slice(&(-1_i16).to_be_bytes());
        body.extend_from_slice(&(-1_i32).to_be_bytes());
        body.extend_from_slice(&[0; 2]);
    });
}

fn error(out: &mut Vec<u8>, code: &str, why: &str) {
    message(out, b'E', |body| {
        for (field, value) in [(b'S', "ERROR"), (b'V', "ERROR"), (b'C', code), (b'M', why)] {
            body.push(field);
            text(body, value);
        }
        body.push(0);
    });
}

/// Appends a message: type, length that counts itself, body.
fn message(out: &mut Vec<u8>, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    fill(&mut body);
    out.push(kind);
    out.extend_from_slice(&length(body.len() + 4).to_be_bytes());
    out.extend_from_slice(&body);
}

fn text(out: &mut Vec<u8>, value: &str) {
    out.extend_from_slice(value.as_bytes());
    out.push(0);
}

fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// A zero-terminated string and what follows it.
fn first_bytes(body: &[u8]) -> (&[u8], &[u8]) {
    match body.iter().position(|byte| *byte == 0) {
        Some(end) => (
            body.get(..end).unwrap_or(&[]),
            body.get(end + 1..).unwrap_or(&[]),
        ),
        None => (body, &[]),
    }
}

fn first_text(body: &[u8]) -> (String, &[u8]) {
    let (bytes, rest) = first_bytes(body);
    (String::from_utf8_lossy(bytes).into_owned(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `StartupMessage` of user `u`, protocol 3.0.
    const STARTUP: &[u8] = b"\x00\x00\x00\x10\x00\x03\x00\x00user\x00u\x00\x00";

    fn talk(pg: &mut PgEcho, bytes: &[u8]) -> Vec<(char, Vec<u8>)> {
        let mut out = Vec::new();
        pg.handle(bytes, &mut out);
        let mut messages = Vec::new();
        let mut rest = out.as_slice();
        while let Some((kind, after)) = rest.split_first() {
            let len = u32::from_be_bytes(*after.first_chunk().unwrap()) as usize;
            messages.push((char::from(*kind), after[4..len].to_vec()));
            rest = &after[len..];
        }
        messages
    }

    fn kinds(messages: &[(char, Vec<u8>)]) -> String {
        messages.iter().map(|(kind, _)| *kind).collect()
    }

    fn frontend(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        message(&mut out, kind, |to| to.extend_from_slice(body));
        out
    }

    #[test]
    fn encryption_is_declined_by_one_byte() {
        let mut pg = PgEcho::new();
        let mut out = Vec::new();
        pg.handle(&[0, 0, 0, 8, 4, 210, 22, 47], &mut out);
        assert_eq!(out, b"N");
        assert_eq!(kinds(&talk(&mut pg, STARTUP)), "RSSSSSSSKZ");
    }

    #[test]
    fn the_handshake_is_labelled() {
        let mut pg = PgEcho::new();
        let messages = talk(&mut pg, STARTUP);
        assert_eq!(messages[0], ('R', vec![0; 4]));
        assert_eq!(
            messages[1].1,
            b"server_version\x0016.0 (skybridge-test-echo)\x00"
        );
        assert_eq!(messages.last().unwrap(), &('Z', vec![b'I']));
    }

    #[test]
    fn a_simple_select_returns_one_labelled_row() {
        let mut pg = PgEcho::new();
        talk(&mut pg, STARTUP);
        let messages = talk(&mut pg, b"Q\x00\x00\x00\x0dselect 1\x00");
        assert_eq!(kinds(&messages), "TDCZ");
        let mut row = vec![0, 1, 0, 0, 0, 19];
        row.extend_from_slice(b"skybridge test echo");
        assert_eq!(messages[1].1, row);
        assert_eq!(messages[2].1, b"SELECT 1\x00");
    }

    #[test]
    fn bytes_may_come_one_at_a_time() {
        let mut pg = PgEcho::new();
        let mut out = Vec::new();
        let mut whole = STARTUP.to_vec();
        whole.extend(frontend(b'Q', b"SELECT 1\0"));
        whole.extend(frontend(b'X', b""));
        for byte in &whole {
            pg.handle(&[*byte], &mut out);
        }
        assert!(pg.is_finished());
        let mut other = PgEcho::new();
        let mut at_once = Vec::new();
        other.handle(&whole, &mut at_once);
        assert_eq!(out, at_once);
    }

    #[test]
    fn the_extended_protocol_of_drivers_makes_a_round_trip() {
        let mut pg = PgEcho::new();
        talk(&mut pg, STARTUP);
        let mut bytes = frontend(b'P', b"s1\0SELECT $1, $2\0\0\0");
        bytes.extend(frontend(b'D', b"Ss1\0"));
        bytes.extend(frontend(b'S', b""));
        let messages = talk(&mut pg, &bytes);
        assert_eq!(kinds(&messages), "1tTZ");
        assert_eq!(messages[1].1, [0, 2, 0, 0, 0, 25, 0, 0, 0, 25]);
        let mut bytes = frontend(b'B', b"\0s1\0\0\0\0\0\0\0");
        bytes.extend(frontend(b'E', b"\0\0\0\0\0"));
        bytes.extend(frontend(b'S', b""));
        assert_eq!(kinds(&talk(&mut pg, &bytes)), "2DCZ");
    }

    #[test]
    fn what_would_store_something_is_refused_by_code() {
        let mut pg = PgEcho::new();
        talk(&mut pg, STARTUP);
        let messages = talk(&mut pg, &frontend(b'Q', b"CREATE TABLE t (x int)\0"));
        assert_eq!(kinds(&messages), "EZ");
        assert!(messages[0].1.windows(7).any(|w| w == b"C0A000\0"));
        // In the extended protocol everything up to Sync is skipped.
        let mut bytes = frontend(b'E', b"nope\0\0\0\0\0");
        bytes.extend(frontend(b'E', b"nope\0\0\0\0\0"));
        bytes.extend(frontend(b'S', b""));
        assert_eq!(kinds(&talk(&mut pg, &bytes)), "EZ");
    }

    #[test]
    fn transactions_and_several_statements_in_one_query_work() {
        let mut pg = PgEcho::new();
        talk(&mut pg, STARTUP);
        let messages = talk(&mut pg, &frontend(b'Q', b"BEGIN; SELECT ';'; \0"));
        assert_eq!(kinds(&messages), "CTDCZ");
        assert_eq!(messages.last().unwrap().1, [b'T']);
        let messages = talk(&mut pg, &frontend(b'Q', b"ROLLBACK\0"));
        assert_eq!(messages.last().unwrap().1, [b'I']);
        assert_eq!(kinds(&talk(&mut pg, &frontend(b'Q', b"\0"))), "IZ");
    }

    #[test]
    fn an_endless_message_ends_the_conversation() {
        let mut pg = PgEcho::new();
        talk(&mut pg, STARTUP);
        assert_eq!(kinds(&talk(&mut pg, b"Q\x7f\xff\xff\xff")), "E");
        assert!(pg.is_finished());
    }
}
