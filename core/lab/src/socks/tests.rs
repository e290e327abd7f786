//! Requests as clients send them, whole, in pieces, and broken.

use super::*;

/// A greeting that offers no authentication, and a request.
fn request(command: u8, kind: u8, address: &[u8], port: u16) -> Vec<u8> {
    let mut bytes = vec![5, 1, 0, 5, command, 0, kind];
    bytes.extend(address);
    bytes.extend(port.to_be_bytes());
    bytes
}

/// Every step, with the bytes handed in by `pieces`.
fn steps<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Step>, Vec<u8>) {
    let mut negotiation = Negotiation::default();
    let mut steps = Vec::new();
    for piece in pieces {
        assert!(piece.len() <= negotiation.room());
        negotiation.handle(piece);
        loop {
            match negotiation.poll() {
                Step::More => break,
                step @ (Step::Answer(_) | Step::Connect(..) | Step::Refuse(_)) => {
                    steps.push(step);
                }
            }
        }
    }
    (steps, negotiation.rest())
}

fn connect(destination: Destination, port: u16) -> Vec<Step> {
    vec![Step::Answer(vec![5, 0]), Step::Connect(destination, port)]
}

#[test]
fn the_three_address_types_are_read() {
    let v4 = request(1, 1, &[10, 40, 1, 2], 5432);
    let address = Destination::Address([10, 40, 1, 2].into());
    assert_eq!(steps([&v4[..]]).0, connect(address, 5432));
    let v6 = request(1, 4, &Ipv6Addr::LOCALHOST.octets(), 80);
    let address = Destination::Address(Ipv6Addr::LOCALHOST.into());
    assert_eq!(steps([&v6[..]]).0, connect(address, 80));
    let name = request(1, 3, b"\x04app0", 22);
    let destination = Destination::Name("app0".to_owned());
    assert_eq!(steps([&name[..]]).0, connect(destination, 22));
    let address_as_name = request(1, 3, b"\x0910.40.1.2", 1);
    let address = Destination::Address([10, 40, 1, 2].into());
    assert_eq!(steps([&address_as_name[..]]).0, connect(address, 1));
}

#[test]
fn the_pieces_in_which_it_comes_do_not_matter_and_what_follows_is_kept() {
    let mut bytes = request(1, 3, b"\x02db", 5432);
    bytes.extend(b"hello");
    let whole = steps([&bytes[..]]);
    assert_eq!(whole.1, b"hello");
    for at in 1..bytes.len() - 5 {
        let (first, second) = bytes.split_at(at);
        assert_eq!(steps([first, second]), whole, "cut at {at}");
    }
    let request_only = &bytes[..bytes.len() - 5];
    let (found, rest) = steps(request_only.chunks(1));
    assert_eq!((found, rest), (whole.0, vec![]));
}

#[test]
fn what_is_not_served_is_refused_by_its_code() {
    let code = |bytes: &[u8]| match steps([bytes]).0.pop() {
        Some(Step::Refuse(reply)) => reply.get(1).copied(),
        other => panic!("{other:?}"),
    };
    let udp_associate = request(3, 1, &[0; 4], 0);
    assert_eq!(code(&udp_associate), Some(7));
    let bind = request(2, 1, &[0; 4], 0);
    assert_eq!(code(&bind), Some(7));
    let unknown_type = request(1, 9, &[0; 4], 0);
    assert_eq!(code(&unknown_type), Some(8));
    assert_eq!(code(&request(1, 3, b"\x02\xff\xfe", 1)), Some(4));
    assert_eq!(code(&request(1, 3, b"\x00", 1)), Some(4), "no name");
    assert_eq!(code(&[5, 1, 0, 4, 1, 0, 1]), Some(1), "another version");
    assert_eq!(code(&[5, 2, 1, 2]), Some(0xff), "only with a password");
    assert_eq!(
        code(&[4, 1]),
        None,
        "SOCKS 4 gets no answer that it could read"
    );
    assert_eq!(code(b"GET / HTTP/1.1\r\n"), None);
}

#[test]
fn a_reply_names_our_end() {
    let bound = "10.20.1.4:0".parse().ok();
    assert_eq!(
        Reply::Succeeded.to_bytes(bound),
        [5, 0, 0, 1, 10, 20, 1, 4, 0, 0]
    );
    let bound = "[::1]:258".parse().ok();
    let reply = Reply::ConnectionRefused.to_bytes(bound);
    assert_eq!(
        (reply.len(), &reply[..4], &reply[20..]),
        (22, &[5, 5, 0, 4][..], &[1, 2][..])
    );
}

#[test]
fn nothing_is_taken_beyond_the_longest_request() {
    let mut negotiation = Negotiation::default();
    let mut name = vec![255];
    name.extend([b'x'; 255]);
    let mut longest = vec![5, 255];
    longest.extend([0; 255]);
    longest.extend(&request(1, 3, &name, 1)[3..]);
    assert_eq!(longest.len(), REQUEST_LEN_MAX);
    negotiation.handle(&longest);
    assert_eq!(negotiation.room(), 0);
    assert_eq!(negotiation.poll(), Step::Answer(vec![5, 0]));
    assert!(matches!(
        negotiation.poll(),
        Step::Connect(Destination::Name(_), 1)
    ));
    assert_eq!(negotiation.room(), 0, "it is over");
    negotiation.handle(b"late");
    assert_eq!(negotiation.rest(), b"");
}
