//! The binary as its users run it: a lab of the example in the background, and commands that ask it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::namespace::run;

/// Who runs a lab.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum User {
    /// Whoever runs the scenarios.
    Root,
    /// A user without any privilege.
    Ordinary,
}

impl User {
    /// `nobody`, who exists everywhere.
    pub(crate) const ORDINARY_ID: u32 = 65_534;
}

/// A lab with a place of its own; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) folder: PathBuf,
    program: PathBuf,
    user: User,
}

impl Lab {
    /// Brings a directory up in the background.
    pub(crate) fn up(label: &str, directory: &Path) -> Result<Self> {
        Self::start(User::Root, label, directory, &[], true)
    }

    /// As [`Lab::up`], with more arguments.
    pub(crate) fn up_with(label: &str, directory: &Path, more: &[&str]) -> Result<Self> {
        Self::start(User::Root, label, directory, more, true)
    }

    /// As [`Lab::up_with`], by another user, who must be able to read the directory.
    pub(crate) fn up_as(user: User, label: &str, directory: &Path, more: &[&str]) -> Result<Self> {
        Self::start(user, label, directory, more, true)
    }

    /// As [`Lab::up`], whatever its expectations come to.
    pub(crate) fn up_unproved(label: &str, directory: &Path) -> Result<Self> {
        Self::start(User::Root, label, directory, &[], false)
    }

    fn start(
        user: User,
        label: &str,
        directory: &Path,
        more: &[&str],
        is_proved: bool,
    ) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("sky-{label}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        // The build puts every binary of the workspace beside this one.
        let mut program = std::env::current_exe()?.with_file_name("skybridge");
        ensure!(program.exists(), "{} is not built", program.display());
        if user == User::Ordinary {
            // Where the build puts it may be root's alone.
            let copy = folder.join("skybridge-bin");
            fs::copy(&program, &copy)?;
            program = copy;
            let id = Some(User::ORDINARY_ID);
            chown(&folder, id, id)?;
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        }
        let lab = Self {
            folder,
            program,
            user,
        };
        let directory = directory.to_string_lossy();
        let up = ["up", &directory, "--detach", "--no-simulation"];
        let output = lab.command(&[&up[..], more].concat()).output();
        let output = output.context("start the lab")?;
        // 1 and 3: something does not hold, or nobody knows.
        let is_up = match output.status.code() {
            Some(0) => true,
            Some(1 | 3) => !is_proved,
            _ => false,
        };
        let said = [output.stdout, output.stderr].concat();
        ensure!(is_up, "{}", String::from_utf8_lossy(&said));
        Ok(lab)
    }

    /// The program without any privilege, and /dev/net/tun with its usual mode whatever this system has made of it.
    fn unprivileged(&self) -> Command {
        let id = User::ORDINARY_ID;
        let script = format!(
            "mknod {tun} c 10 200 2>/dev/null; chmod 666 {tun}; mount --bind {tun} /dev/net/tun && \
             exec setpriv --reuid {id} --regid {id} --clear-groups \"$@\"",
            tun = self.folder.join("tun").display()
        );
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", &script, "sh"])
            .arg(&self.program)
            .current_dir(&self.folder);
        command
    }

    /// A command to it, to be started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.user {
            User::Root => Command::new(&self.program),
            User::Ordinary => self.unprivileged(),
        };
        command
            .args(arguments)
            .env("XDG_RUNTIME_DIR", &self.folder)
            .stdin(Stdio::null());
        command
    }

    /// A command to its end; gives what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        run(&mut self.command(arguments))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Nothing that could be done about a failure while another one is reported.
        self.run(&["down"]).ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// The example of this repository.
pub(crate) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/azure-oci")
}

/// A program in the background; it is killed when dropped.
#[derive(Debug)]
pub(crate) struct Background(pub(crate) Child);

impl Background {
    /// Ctrl-C, and the end that follows it.
    pub(crate) fn interrupt(mut self) -> Result<()> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a process has an id")?, Signal::INT)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "ended by Ctrl-C with {status}");
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
