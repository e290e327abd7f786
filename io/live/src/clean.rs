//! Taking away what labs that were killed have left: their sockets, and programs in their namespaces. The
//! namespaces and interfaces themselves go with their processes.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::exec::MARKER;
use crate::marker::Marker;
use crate::place::runtime_folder;

/// How long a program may take to end by itself.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// Files of a place, the lock last.
const EXTENSIONS: [&str; 3] = ["sock", "log", "lock"];

/// What was taken away.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Cleaned {
    /// Files of labs that do not run any more.
    pub files: Vec<PathBuf>,
    /// Programs that ran in their namespaces: process number and command line.
    pub programs: Vec<(u32, String)>,
    /// Programs that did not end.
    pub left: Vec<(u32, String)>,
}

/// Cleans up after labs of this user. Those that run, and their programs, are not touched.
///
/// # Errors
/// When the folder with the sockets cannot be read.
pub fn clean() -> io::Result<Cleaned> {
    let mut cleaned = Cleaned::default();
    clean_files(&runtime_folder(), &mut cleaned)?;
    let orphans = orphans();
    for (pid, _) in &orphans {
        signal(*pid, Signal::TERM);
    }
    let until = Instant::now() + FAREWELL_MAX;
    while orphans.iter().any(|(pid, _)| runs(*pid)) && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
    for (pid, name) in orphans {
        if runs(pid) {
            signal(pid, Signal::KILL);
        }
        let until = Instant::now() + FAREWELL_MAX;
        while runs(pid) && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
        if runs(pid) {
            cleaned.left.push((pid, name));
        } else {
            cleaned.programs.push((pid, name));
        }
    }
    Ok(cleaned)
}

/// Removes the files of every place whose lock nobody holds.
fn clean_files(folder: &Path, cleaned: &mut Cleaned) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut places = BTreeSet::new();
    for entry in entries {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) {
            places.insert(path.with_extension(""));
        }
    }
    for place in places {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(with(&place, "lock"));
        let Ok(lock) = lock else {
            continue;
        };
        let existed = EXTENSIONS.map(|extension| with(&place, extension).exists());
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        // The lock goes last: whoever finds it gone makes a new one, and has the place to itself.
        for (extension, existed) in EXTENSIONS.iter().zip(existed) {
            let path = with(&place, extension);
            if fs::remove_file(&path).is_ok() && existed && *extension != "lock" {
                cleaned.files.push(path);
            }
        }
    }
    Ok(())
}

fn with(place: &Path, extension: &str) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Programs of this user that say of themselves that they run in a lab which has ended.
fn orphans() -> Vec<(u32, String)> {
    let own = geteuid().as_raw();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbers = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        (entry.metadata().ok()?.uid() == own || own == 0).then_some(pid)
    });
    numbers
        .filter(|pid| marker(*pid).is_some_and(|marker| !marker.is_alive()))
        .filter(|pid| *pid != std::process::id())
        .map(|pid| (pid, command_line(pid)))
        .collect()
}

/// The lab in which a program was started.
fn marker(pid: u32) -> Option<Marker> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let prefix = format!("{MARKER}=");
    let mut variables = environment.split(|octet| *octet == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(prefix.as_bytes()))?;
    Marker::parse(std::str::from_utf8(value).ok()?)
}

fn command_line(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = words
        .split(|octet| *octet == 0)
        .filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    words.join(" ")
}

fn runs(pid: u32) -> bool {
    Marker::of(pid).is_some()
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended meanwhile.
        kill_process(pid, signal).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    #[test]
    fn files_of_a_dead_lab_go_and_those_of_a_living_one_stay() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| Place::of(folder.path().join(name).to_str().unwrap()).unwrap();
        let living = place("living.sock");
        let _seat = living.listen().unwrap();
        let dead = place("dead.sock");
        drop(dead.listen().unwrap());
        drop(std::os::unix::net::UnixListener::bind(dead.socket()).unwrap());
        let mut cleaned = Cleaned::default();
        clean_files(folder.path(), &mut cleaned).unwrap();
        assert_eq!(cleaned.files, [dead.socket()]);
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "socket and lock of the living one");
        assert!(living.connect().is_ok());
        assert!(dead.listen().is_ok());
    }
}
