//! Labs that this process runs, and labs in the background.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use skybridge_base::WallTime;
use skybridge_lab::{Lab, LabConfig};
use skybridge_live::{Ended, Joints, Place, Running, Seat, prepare_namespaces, spawn};

use super::Failure;
use crate::args::{HostsArg, ServeArgs, WorldArgs};
use crate::{exit, screen};

/// The seed of a world that nobody chose one for: two runs of the same files behave alike.
const SEED: u64 = 1;

/// What the background process says when its socket listens.
const READY: &str = "ready\n";

/// Starts a lab on a thread of this process.
pub(super) fn start(seat: Option<Seat>, world: &WorldArgs) -> Result<Running, Failure> {
    let config = LabConfig {
        seed: world.seed.unwrap_or(SEED),
        // A chosen seed makes ids and keys repeatable too; otherwise nobody can guess them.
        secret_seed: match world.seed {
            Some(seed) => seed,
            None => random()?,
        },
        pace: world.pace.pace(),
        epoch: wall_time(),
        hosts: world.hosts.hosts(),
        ceilings: !world.no_ceilings,
    };
    if world.hosts == HostsArg::Netns {
        prepare_namespaces()?;
    }
    let joints = Joints {
        seat,
        signals: true,
    };
    spawn(joints, move || Lab::new(&config)).map_err(|source| Failure::Io {
        what: "cannot start the lab",
        source,
    })
}

/// Now, for timestamps of captures; a machine whose clock stands before 1970 gets 1970.
pub(super) fn wall_time() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    WallTime(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn random() -> Result<u64, Failure> {
    use std::io::Read as _;
    let mut octets = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut octets))
        .map_err(|source| Failure::Io {
            what: "cannot read the system's random numbers",
            source,
        })?;
    Ok(u64::from_ne_bytes(octets))
}

/// Waits for a lab of this process to end. Ctrl-C and `down` are how it should.
pub(super) fn wait(running: Running) -> Result<(), Failure> {
    match running.join() {
        Ended::Stopped | Ended::Interrupted => Ok(()),
        Ended::Failed(source) => Err(Failure::Io {
            what: "the lab has failed",
            source,
        }),
    }
}

/// `serve`: an empty lab, detached from the terminal, that ends by `down` or a signal.
pub(super) fn serve(args: &ServeArgs, lab: &str) -> Result<u8, Failure> {
    let io = |what| move |source| Failure::Io { what, source };
    let seat = Place::of(lab)?.listen()?;
    // Fails only for a leader of a process group, which has left its terminal's session already.
    rustix::process::setsid().ok();
    let running = start(Some(seat), &args.world)?;
    screen::print(READY).map_err(io("cannot report to who started this"))?;
    let nowhere = OpenOptions::new()
        .write(true)
        .open("/dev/null")
        .map_err(io("cannot open /dev/null"))?;
    rustix::stdio::dup2_stdout(&nowhere)
        .map_err(std::io::Error::from)
        .map_err(io("cannot let standard output go"))?;
    wait(running)?;
    Ok(exit::HOLDS)
}

/// Starts a lab in the background and waits until it listens.
pub(super) fn detach(place: &Place, world: &WorldArgs) -> Result<(), Failure> {
    let io = |what| move |source| Failure::Io { what, source };
    let socket = std::path::absolute(place.socket()).map_err(io("cannot resolve the socket"))?;
    // Makes the folder, and shows at once whether the place can be had.
    drop(place.listen()?);
    let log = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(place.log())
        .map_err(io("cannot write the lab's log"))?;
    let mut command = Command::new(std::env::current_exe().map_err(io("cannot find myself"))?);
    command
        .arg("serve")
        .arg("--lab")
        .arg(&socket)
        .args(["--pace", world.pace.label()])
        .args(["--hosts", world.hosts.label()])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    if world.no_ceilings {
        command.arg("--no-ceilings");
    }
    if let Some(seed) = world.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    let mut child = command.spawn().map_err(io("cannot start the lab"))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(io("cannot hear the lab"))?;
    }
    if line == READY {
        return Ok(());
    }
    let said = std::fs::read_to_string(place.log()).unwrap_or_default();
    Err(Failure::Start(format!(
        "{} (log: {})",
        said.trim(),
        place.log().display()
    )))
}
