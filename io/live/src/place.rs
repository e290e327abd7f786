//! Where a lab's control socket is, and who may sit there.
//!
//! `$XDG_RUNTIME_DIR/skybridge/NAME.sock`, else `/tmp/skybridge-UID/NAME.sock`. The folder belongs to the
//! user and nobody else may look into it. `NAME.lock` is locked for as long as the lab runs, so that a
//! socket left behind by a killed process is told from a living one and replaced without a race.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::process::geteuid;
use thiserror::Error;

/// Longest lab name. With the folder it must fit into `sun_path`, 108 octets on Linux.
pub const NAME_LEN_MAX: usize = 64;

/// Longest path of a Unix socket that every supported system accepts (macOS: 104 with the final zero).
const PATH_LEN_MAX: usize = 103;

/// Why a lab cannot be placed or found.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// The name has other characters or is too long.
    #[error(
        "a lab's name has 1 to {NAME_LEN_MAX} of the characters a-z A-Z 0-9 . _ - and does not start with a dot; got {0:?}"
    )]
    Name(String),
    /// The path does not fit into a socket address.
    #[error(
        "the socket path {0} is longer than {PATH_LEN_MAX} octets; set XDG_RUNTIME_DIR to a shorter folder"
    )]
    Long(PathBuf),
    /// The folder belongs to somebody else, is open to others, or is no folder.
    #[error("{0} is not a folder that only you can enter; remove it or set XDG_RUNTIME_DIR")]
    Folder(PathBuf),
    /// Another process runs a lab of that name.
    #[error("a lab runs at {0} already")]
    Taken(PathBuf),
    /// No process runs a lab of that name.
    #[error("no lab runs at {0}")]
    Absent(PathBuf),
    /// The system refused.
    #[error("cannot use {path}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The address of a lab on this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    socket: PathBuf,
}

impl Place {
    /// The place of a lab by name, or by the path of its socket when `lab` has a slash in it.
    ///
    /// # Errors
    /// When the name has other characters than allowed or the path is too long for a socket.
    pub fn of(lab: &str) -> Result<Self, PlaceError> {
        let socket = if lab.contains('/') {
            PathBuf::from(lab)
        } else {
            let fits = (1..=NAME_LEN_MAX).contains(&lab.len())
                && !lab.starts_with('.')
                && lab
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
            if !fits {
                return Err(PlaceError::Name(lab.to_owned()));
            }
            runtime_folder().join(format!("{lab}.sock"))
        };
        if socket.as_os_str().len() > PATH_LEN_MAX {
            return Err(PlaceError::Long(socket));
        }
        Ok(Self { socket })
    }

    /// The control socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where a detached lab writes what it has to say.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.socket.with_extension("log")
    }

    /// Connects to the lab.
    ///
    /// # Errors
    /// [`PlaceError::Absent`] when nobody listens there; a socket left behind is no lab.
    pub fn connect(&self) -> Result<UnixStream, PlaceError> {
        self.guard_folder(false)?;
        UnixStream::connect(&self.socket).map_err(|source| {
            let nobody = matches!(
                source.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            );
            if nobody {
                PlaceError::Absent(self.socket.clone())
            } else {
                io_error(&self.socket, source)
            }
        })
    }

    /// Becomes the lab of this place.
    ///
    /// # Errors
    /// [`PlaceError::Taken`] when one runs here, or what the system refuses.
    pub fn listen(&self) -> Result<Seat, PlaceError> {
        self.guard_folder(true)?;
        let lock_path = self.socket.with_extension("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|source| io_error(&lock_path, source))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            // Whoever cleans up removes the file under its lock: then ours is nobody else's.
            Ok(()) if !is_at(&lock, &lock_path) => return self.listen(),
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(PlaceError::Taken(self.socket.clone()));
            }
            Err(errno) => return Err(io_error(&lock_path, errno.into())),
        }
        // We hold the lock, so whoever left a socket here is gone: unless it is a server that does not
        // lock, which a connection would show.
        if UnixStream::connect(&self.socket).is_ok() {
            return Err(PlaceError::Taken(self.socket.clone()));
        }
        match std::fs::remove_file(&self.socket) {
            Ok(()) => {}
            Err(source) if source.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(io_error(&self.socket, source)),
        }
        let listener =
            UnixListener::bind(&self.socket).map_err(|source| io_error(&self.socket, source))?;
        std::fs::set_permissions(&self.socket, Permissions::from_mode(0o600))
            .map_err(|source| io_error(&self.socket, source))?;
        Ok(Seat {
            listener: Some(listener),
            socket: self.socket.clone(),
            _lock: lock,
        })
    }

    /// Makes or checks the folder. One that the user named by a socket path is theirs to guard.
    fn guard_folder(&self, create: bool) -> Result<(), PlaceError> {
        let Some(folder) = self.socket.parent() else {
            return Ok(());
        };
        if folder != runtime_folder() {
            return Ok(());
        }
        if create {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|source| io_error(folder, source))?;
        }
        let meta = match std::fs::symlink_metadata(folder) {
            Ok(meta) => meta,
            Err(source) if source.kind() == io::ErrorKind::NotFound && !create => {
                return Err(PlaceError::Absent(self.socket.clone()));
            }
            Err(source) => return Err(io_error(folder, source)),
        };
        let ours = meta.is_dir() && meta.uid() == geteuid().as_raw() && meta.mode() & 0o077 == 0;
        if ours {
            Ok(())
        } else {
            Err(PlaceError::Folder(folder.to_path_buf()))
        }
    }
}

/// A place that is ours: the listening socket, removed when dropped, and the lock.
#[derive(Debug)]
pub struct Seat {
    listener: Option<UnixListener>,
    socket: PathBuf,
    _lock: File,
}

impl Seat {
    /// The listener, once.
    pub(crate) fn take_listener(&mut self) -> Option<UnixListener> {
        self.listener.take()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        std::fs::remove_file(&self.socket).ok();
        // Still locked: whoever waits for this lock finds that its file has gone, and makes a new one.
        std::fs::remove_file(self.socket.with_extension("lock")).ok();
    }
}

/// True while a file is the one with this name.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(named)) => ours.ino() == named.ino() && ours.dev() == named.dev(),
        (Ok(_) | Err(_), _) => false,
    }
}

fn io_error(path: &Path, source: io::Error) -> PlaceError {
    PlaceError::Io {
        path: path.to_path_buf(),
        source,
    }
}

pub(crate) fn runtime_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(base) if Path::new(&base).is_absolute() && Path::new(&base).is_dir() => {
            Path::new(&base).join("skybridge")
        }
        _ => PathBuf::from(format!("/tmp/skybridge-{}", geteuid().as_raw())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &tempfile::TempDir) -> Place {
        let path = folder.path().join("lab.sock");
        Place::of(path.to_str().unwrap()).unwrap()
    }

    #[test]
    fn names_are_plain() {
        assert!(Place::of("default").is_ok());
        assert!(Place::of("team-a_1.2").is_ok());
        for bad in ["", ".hidden", "a b", &"x".repeat(65)] {
            assert!(matches!(Place::of(bad), Err(PlaceError::Name(_))), "{bad}");
        }
        let long = format!("/{}", "x".repeat(120));
        assert!(matches!(Place::of(&long), Err(PlaceError::Long(_))));
    }

    #[test]
    fn a_place_has_one_lab_and_is_free_again_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        assert!(matches!(place.connect(), Err(PlaceError::Absent(_))));
        let seat = place.listen().unwrap();
        assert!(place.connect().is_ok());
        assert!(matches!(place.listen(), Err(PlaceError::Taken(_))));
        drop(seat);
        assert!(matches!(place.connect(), Err(PlaceError::Absent(_))));
        assert!(place.listen().is_ok());
    }

    #[test]
    fn a_socket_left_behind_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        drop(UnixListener::bind(place.socket()).unwrap());
        assert!(place.socket().exists(), "closing does not remove it");
        assert!(matches!(place.connect(), Err(PlaceError::Absent(_))));
        let _seat = place.listen().unwrap();
        assert!(place.connect().is_ok());
    }

    #[test]
    fn only_the_user_may_use_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        let _seat = place.listen().unwrap();
        let mode = std::fs::metadata(place.socket()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
