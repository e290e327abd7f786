//! `capture`: frames of the running lab as lines, as pcapng, or as documents.

use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use skybridge_base::Instant;
use skybridge_lab::document::{CapturePortion, CaptureStart, Direction, FrameRow};
use skybridge_lab::request::{Request, Response};
use skybridge_live::{FollowEnd, Place, follow};
use skybridge_wire::summary::Summary;
use skybridge_world::CaptureDirection;
use skybridge_world::pcapng::{self, Statistics};

use super::{Failure, Window};
use crate::args::CaptureArgs;
use crate::exit;
use crate::render::{Sources, compact};

const PROGRAM: &str = concat!("skybridge ", env!("CARGO_PKG_VERSION"));

/// Follows a capture until it ends, the reader has enough, or Ctrl-C.
pub(super) fn capture(args: &CaptureArgs, lab: &str, window: &Window) -> Result<u8, Failure> {
    let place = Place::of(lab)?;
    let mut writer = Writer {
        to: Output::open(args.write.as_deref())?,
        form: match (&args.write, window.json) {
            (Some(_), _) => Form::Pcapng,
            (None, true) => Form::Documents,
            (None, false) => Form::Lines,
        },
        start: None,
        frames: 0,
        missed: 0,
        last_ns: 0,
    };
    let mut refusal = None;
    let mut failed = None;
    let end = follow(&place, &Request::from(args), &mut |response| {
        let written = if let Response::CaptureStart(start) = response {
            if writer.form != Form::Documents {
                window.remark(&format!(
                    "Capturing on {} ({}). Ctrl-C ends it.",
                    start.point, start.description
                ));
            }
            writer.begin(start)
        } else if let Response::CapturePortion(portion) = response {
            writer.portion(&portion)
        } else {
            refusal = matches!(response, Response::Error(_)).then_some(response);
            return ControlFlow::Break(());
        };
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(refusal) = refusal {
        window.show(&refusal, &Sources::default())?;
        return Ok(exit::BAD_INPUT);
    }
    match failed.map_or_else(|| writer.end(), Err) {
        // The reader has seen enough, or its Wireshark was closed.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(source) => {
            return Err(Failure::Io {
                what: "cannot write the capture",
                source,
            });
        }
        Ok(()) => {}
    }
    if end == FollowEnd::LabEnded {
        window.remark("The lab has ended.");
    }
    window.remark(&format!(
        "{} frames captured, {} missed.",
        writer.frames, writer.missed
    ));
    Ok(exit::HOLDS)
}

enum Output {
    Stdout(io::Stdout),
    File(File),
}

impl Output {
    fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            None => Ok(Self::Stdout(io::stdout())),
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdout(io::stdout())),
            Some(path) => File::create(path)
                .map(Self::File)
                .map_err(|source| Failure::Io {
                    what: "cannot make the capture's file",
                    source,
                }),
        }
    }

    /// Writes at once, so that a reader follows live.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.write_all(bytes).and_then(|()| stdout.flush()),
            Self::File(file) => file.write_all(bytes),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    Documents,
    Pcapng,
}

struct Writer {
    to: Output,
    form: Form,
    start: Option<CaptureStart>,
    frames: u64,
    missed: u64,
    last_ns: u64,
}

impl Writer {
    fn begin(&mut self, start: CaptureStart) -> io::Result<()> {
        self.last_ns = start.at_ns;
        let written = match self.form {
            Form::Lines => Vec::new(),
            Form::Documents => compact(&start),
            Form::Pcapng => pcapng::beginning(PROGRAM, &start.point, &start.description),
        };
        self.start = Some(start);
        self.to.put(&written)
    }

    fn portion(&mut self, portion: &CapturePortion) -> io::Result<()> {
        self.frames += portion.frames.len() as u64;
        self.missed += portion.missed;
        let mut written = Vec::new();
        for frame in &portion.frames {
            self.last_ns = frame.at_ns;
            match self.form {
                Form::Lines => written.extend(line(frame).into_bytes()),
                Form::Documents => written.extend(compact(frame)),
                Form::Pcapng => written.extend(pcapng::packet(
                    self.wall_ns(frame.at_ns),
                    direction(frame.direction),
                    &frame.bytes,
                )),
            }
        }
        if portion.missed > 0 && self.form == Form::Lines {
            written.extend(format!("… {} frames missed\n", portion.missed).into_bytes());
        }
        self.to.put(&written)
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(start) = &self.start else {
            return Ok(());
        };
        if self.form != Form::Pcapng {
            return Ok(());
        }
        let counts = Statistics {
            start_ns: self.wall_ns(start.at_ns),
            end_ns: self.wall_ns(self.last_ns),
            seen: self.frames + self.missed,
            dropped: self.missed,
        };
        self.to.put(&pcapng::statistics(&counts))
    }

    fn wall_ns(&self, at_ns: u64) -> u64 {
        let epoch_ns = self.start.as_ref().map_or(0, |start| start.epoch_ns);
        pcapng::wall_ns(epoch_ns, Instant::from_nanos(at_ns))
    }
}

const fn direction(direction: Direction) -> CaptureDirection {
    match direction {
        Direction::AToB => CaptureDirection::AToB,
        Direction::BToA => CaptureDirection::BToA,
        Direction::In => CaptureDirection::In,
        Direction::Out => CaptureDirection::Out,
    }
}

/// One frame for people: seconds since the lab began, which way, and what it is.
fn line(frame: &FrameRow) -> String {
    let way = match frame.direction {
        Direction::AToB | Direction::Out => "out",
        Direction::BToA | Direction::In => "in ",
    };
    let (seconds, rest_us) = (
        frame.at_ns / 1_000_000_000,
        frame.at_ns % 1_000_000_000 / 1_000,
    );
    format!(
        "{seconds:>5}.{rest_us:06} {way} {}\n",
        Summary(&frame.bytes)
    )
}
