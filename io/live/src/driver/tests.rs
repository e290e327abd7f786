//! The driver over a scripted engine: real sockets and threads, no sleeping.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::time::Duration;

use skybridge_base::Deadline;
use skybridge_lab::document::Progress;
use skybridge_lab::request::{ForwardOrder, ForwardTo};
use skybridge_lab::{ClientId, PortNews};

use super::*;
use crate::place::Place;
use crate::{CLIENTS_MAX, Connection, FollowEnd, follow};

/// Answers `Status` with two progress lines and a message, serves `Explain` as a bridge to the address in
/// it, and leaves `Heal` unanswered until the client has gone.
#[derive(Default)]
struct Script {
    outputs: std::collections::VecDeque<LabOutput>,
    explaining: Option<ClientId>,
    received: Vec<u8>,
    due: Option<Instant>,
    waiting: Option<ClientId>,
    gone: Option<Sender<ClientId>>,
    has_client: bool,
}

/// The connection of a client from outside.
const CLIENT: BridgeId = BridgeId(9);

impl Script {
    fn respond(&mut self, client: ClientId, response: Response, last: bool) {
        self.outputs.push_back(LabOutput::Response {
            client,
            response,
            last,
        });
    }

    fn done(&mut self, client: ClientId, message: impl Into<String>) {
        let message = message.into();
        self.respond(client, Response::Done { message }, true);
    }

    fn progress(&mut self, client: ClientId, subject: &str) {
        let news = Progress {
            at_ms: 1,
            subject: subject.to_owned(),
            what: "created".to_owned(),
            detail: String::new(),
        };
        self.respond(client, Response::Progress(news), false);
    }
}

impl Engine for Script {
    fn request(&mut self, now: Instant, client: ClientId, request: Request) {
        match request {
            Request::Status => {
                self.progress(client, "one");
                self.progress(client, "two");
                self.waiting = Some(client);
                self.due = Some(now + Duration::from_millis(1));
            }
            Request::Explain { at, .. } => {
                self.explaining = Some(client);
                self.outputs.push_back(LabOutput::BridgeOpen {
                    id: BridgeId(7),
                    target: at,
                });
            }
            Request::Forward(ForwardOrder::Open { listen, .. }) => {
                self.waiting = Some(client);
                self.outputs.push_back(LabOutput::Listen {
                    id: ForwardId(3),
                    at: listen.parse().unwrap(),
                });
            }
            Request::Stop => {
                self.done(client, "stopped");
                self.outputs.push_back(LabOutput::Stopped);
            }
            Request::Show(_)
            | Request::Ping { .. }
            | Request::Trace { .. }
            | Request::Failover { .. }
            | Request::Diagnose { .. }
            | Request::Cut { .. }
            | Request::Heal { .. }
            | Request::Provider(_)
            | Request::Capture { .. }
            | Request::Forward(ForwardOrder::Remove { .. })
            | Request::Up(_)
            | Request::Plan(_)
            | Request::Outputs { .. }
            | Request::Enter { .. }
            | Request::Down { .. } => {}
        }
    }
    fn forget(&mut self, client: ClientId) {
        if let Some(gone) = &self.gone {
            gone.send(client).unwrap();
        }
    }
    fn drained(&mut self, _client: ClientId) {}
    fn advance_some(&mut self, now: Instant) -> bool {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            if let Some(client) = self.waiting.take() {
                self.done(client, "fine");
            }
        }
        false
    }
    fn poll_timeout(&self) -> Option<Deadline> {
        self.due.map(|at| Deadline::new(at, "script"))
    }
    fn poll_output(&mut self) -> Option<LabOutput> {
        self.outputs.pop_front()
    }
    fn bridge(&mut self, _now: Instant, id: BridgeId, input: BridgeInput) {
        match input {
            BridgeInput::Connected => {
                self.outputs.push_back(LabOutput::BridgeData {
                    id,
                    bytes: b"hello".to_vec(),
                });
                self.outputs.push_back(LabOutput::BridgeFinish { id });
            }
            BridgeInput::Data(bytes) if id == CLIENT => {
                self.outputs.push_back(LabOutput::BridgeData { id, bytes });
            }
            BridgeInput::Finished if id == CLIENT => {
                self.outputs.push_back(LabOutput::BridgeFinish { id });
                self.outputs
                    .push_back(LabOutput::BridgeClose { id, reset: false });
            }
            BridgeInput::Data(bytes) => self.received.extend(bytes),
            BridgeInput::Full | BridgeInput::Drained => {}
            BridgeInput::Finished | BridgeInput::Reset => {
                let text = String::from_utf8(std::mem::take(&mut self.received)).unwrap();
                let client = self.explaining.take().unwrap();
                self.done(client, text);
            }
            BridgeInput::Refused => {
                let client = self.explaining.take().unwrap();
                self.done(client, "refused");
            }
        }
    }
    fn bridge_room(&self, _id: BridgeId) -> usize {
        if self.explaining.is_some() || self.has_client {
            3
        } else {
            0
        }
    }
    fn listening(&mut self, _now: Instant, id: ForwardId, result: Result<SocketAddr, String>) {
        assert_eq!(id, ForwardId(3));
        let client = self.waiting.take().unwrap();
        self.done(client, result.map_or_else(|why| why, |at| at.to_string()));
    }
    /// One client comes in.
    fn accepted(&mut self, _now: Instant, id: ForwardId) -> Option<BridgeId> {
        assert_eq!(id, ForwardId(3));
        let is_first = !std::mem::replace(&mut self.has_client, true);
        is_first.then_some(CLIENT)
    }
    fn port(&mut self, _now: Instant, _id: PortId, _news: PortNews) {}
    fn take_frames(&mut self, _now: Instant, _id: PortId, _frames: &mut Vec<Frame>) {}
    fn give_frames(&mut self, _frames: &mut Vec<(PortId, Frame)>) {}
    fn simulated(&mut self, _now: Instant, _result: SimulationResult) {}
    fn note_slip(&mut self, _slip: Duration) {}
}

fn start(folder: &tempfile::TempDir) -> (Running, Place) {
    let place = Place::of(folder.path().join("lab.sock").to_str().unwrap()).unwrap();
    let joints = Joints {
        seat: Some(place.listen().unwrap()),
        signals: false,
    };
    (spawn(joints, Script::default).unwrap(), place)
}

fn explain(at: String) -> Request {
    Request::Explain {
        prefix: "10.0.0.0/8".to_owned(),
        at,
    }
}

fn ask(connection: &Connection, request: Request) -> (Vec<String>, Response) {
    let mut subjects = Vec::new();
    let answer = connection
        .ask(request, &mut |news| subjects.push(news.subject.clone()))
        .unwrap();
    (subjects, answer)
}

fn done(message: &str) -> Response {
    Response::Done {
        message: message.to_owned(),
    }
}

#[test]
fn a_request_is_answered_alike_inside_the_process_and_by_socket() {
    let folder = tempfile::tempdir().unwrap();
    let (running, place) = start(&folder);
    let expected = (vec!["one".to_owned(), "two".to_owned()], done("fine"));
    let local = Connection::Local(running.handle().clone());
    assert_eq!(ask(&local, Request::Status), expected);
    let remote = Connection::Remote(place);
    assert_eq!(ask(&remote, Request::Status), expected);
    running.handle().stop();
    assert!(matches!(running.join(), Ended::Stopped));
}

#[test]
fn a_client_that_follows_gets_every_answer_until_it_has_enough_or_the_lab_closes() {
    let folder = tempfile::tempdir().unwrap();
    let (running, place) = start(&folder);
    for (enough, end) in [(2, FollowEnd::Taken), (9, FollowEnd::LabEnded)] {
        let mut heard = 0;
        let ended = follow(&place, &Request::Status, &mut |_| {
            heard += 1;
            if heard == enough {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!((ended.unwrap(), heard), (end, enough.min(3)));
    }
    running.handle().stop();
    drop(running.join());
}

#[test]
fn stop_is_answered_before_the_end_and_the_place_is_free_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (running, place) = start(&folder);
    let remote = Connection::Remote(place.clone());
    assert_eq!(ask(&remote, Request::Stop), (vec![], done("stopped")));
    assert!(matches!(running.join(), Ended::Stopped));
    assert!(!place.socket().exists());
    assert!(remote.ask(Request::Status, &mut |_| {}).is_err());
}

#[test]
fn a_text_that_is_no_request_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let (running, place) = start(&folder);
    let mut stream = place.connect().unwrap();
    stream.write_all(b"{\"request\":\"dance\"}\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let answer: Response = serde_json::from_str(&text).unwrap();
    let Response::Error(error) = answer else {
        panic!("{answer:?}");
    };
    assert!(error.message.contains("dance"), "{}", error.message);
    running.handle().stop();
    drop(running.join());
}

#[test]
fn a_client_that_only_closes_its_sending_side_still_gets_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (running, place) = start(&folder);
    let mut stream = place.connect().unwrap();
    stream.write_all(b"{\"request\":\"status\"}\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let lines: Vec<_> = BufReader::new(stream).lines().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[2], r#"{"response":"done","message":"fine"}"#);
    running.handle().stop();
    drop(running.join());
}

#[test]
fn a_client_that_leaves_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::of(folder.path().join("lab.sock").to_str().unwrap()).unwrap();
    let joints = Joints {
        seat: Some(place.listen().unwrap()),
        signals: false,
    };
    let (gone, forgotten) = mpsc::channel();
    let running = spawn(joints, move || Script {
        gone: Some(gone),
        ..Script::default()
    })
    .unwrap();
    let mut stream = place.connect().unwrap();
    stream
        .write_all(b"{\"request\":\"heal\",\"element\":null}\n")
        .unwrap();
    drop(stream);
    // Either the request is read first and the hang-up reported after it, or never both: the engine hears
    // of a client only by its request.
    assert_eq!(forgotten.recv().unwrap(), ClientId(1));
    running.handle().stop();
    drop(running.join());
}

#[test]
fn one_client_too_many_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let (running, place) = start(&folder);
    let held: Vec<_> = (0..CLIENTS_MAX).map(|_| place.connect().unwrap()).collect();
    let mut text = String::new();
    place.connect().unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains("64 clients are connected"), "{text}");
    drop(held);
    running.handle().stop();
    drop(running.join());
}

#[test]
fn a_bridge_carries_bytes_both_ways_within_the_room_that_the_engine_has() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = server.local_addr().unwrap().to_string();
    let echo = thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        write!(stream, "{heard}, and welcome").unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = start(&folder);
    let local = Connection::Local(running.handle().clone());
    let (_, answer) = ask(&local, explain(target));
    assert_eq!(answer, done("hello, and welcome"));
    echo.join().unwrap();
    running.handle().stop();
    drop(running.join());
}

fn forward(listen: &str) -> Request {
    Request::Forward(ForwardOrder::Open {
        listen: listen.to_owned(),
        from: None,
        to: ForwardTo::Socks,
        detached: true,
        anywhere: false,
    })
}

#[test]
fn a_client_of_a_listener_is_carried_to_its_end_and_one_that_may_not_is_reset() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = start(&folder);
    let local = Connection::Local(running.handle().clone());
    let Response::Done { message: at } = ask(&local, forward("127.0.0.1:0")).1 else {
        panic!("it listens");
    };
    let mut client = TcpStream::connect(&at).unwrap();
    let question: Vec<u8> = (0..10_000_u32).flat_map(u32::to_be_bytes).collect();
    let mut writer = client.try_clone().unwrap();
    let sent = question.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    writing.join().unwrap();
    assert!(answer == question, "{} octets came back", answer.len());
    let mut second = TcpStream::connect(&at).unwrap();
    let reset = second.read(&mut [0]).unwrap_err();
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
    let Response::Done { message } = ask(&local, forward(&at)).1 else {
        panic!("it answers");
    };
    assert!(message.contains("in use"), "{message}");
    running.handle().stop();
    drop(running.join());
}

#[test]
fn a_bridge_to_a_closed_port_is_refused() {
    let target = {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        server.local_addr().unwrap().to_string()
    };
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = start(&folder);
    let local = Connection::Local(running.handle().clone());
    assert_eq!(ask(&local, explain(target)).1, done("refused"));
    running.handle().stop();
    drop(running.join());
}
