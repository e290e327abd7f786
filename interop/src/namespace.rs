//! Network namespaces and the processes in them. Everything goes away when dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Every namespace and folder of ours begins so.
const PREFIX: &str = "sky-";

/// A network namespace with a folder for its processes' files.
#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    processes: Vec<(String, Child)>,
}

impl Namespace {
    /// An empty namespace with its loopback interface up.
    pub(crate) fn create(label: &str) -> Result<Self> {
        let name = format!("{PREFIX}{label}-{}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        fs::create_dir_all(&folder).context("make a folder for a peer")?;
        let namespace = Self {
            name,
            folder,
            processes: Vec::new(),
        };
        run(Command::new("ip").args(["netns", "add", &namespace.name]))?;
        // No router solicitations and no duplicate address detection of the kernel in between.
        namespace.sysctl("net.ipv6.conf.default.accept_dad", "0")?;
        namespace.sysctl("net.ipv6.conf.default.autoconf", "0")?;
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// `ip` inside the namespace.
    pub(crate) fn ip(&self, arguments: &[&str]) -> Result<String> {
        run(Command::new("ip").args(["-n", &self.name]).args(arguments))
    }

    fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        self.run("sh", &["-c", &format!("echo {value} > {path}")])?;
        Ok(())
    }

    /// Runs a program inside to its end; gives what it printed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        run(self.command(program).args(arguments))
    }

    /// Starts a daemon inside, in the foreground; its output goes to `<name>.log`.
    pub(crate) fn start(&mut self, name: &str, program: &str, arguments: &[&str]) -> Result<()> {
        let log = fs::File::create(self.folder.join(format!("{name}.log")))?;
        let child = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {program}"))?;
        self.processes.push((name.to_owned(), child));
        Ok(())
    }

    /// Sends a signal to a daemon that was started here.
    pub(crate) fn signal(&self, name: &str, signal: Signal) -> Result<()> {
        let Some((_, child)) = self.processes.iter().find(|(known, _)| known == name) else {
            bail!("no daemon {name}");
        };
        // `ip netns exec` replaces itself by the program, so the child is the daemon.
        kill_process(Pid::from_child(child), signal).with_context(|| format!("signal {name}"))
    }

    /// The logs of the daemons, for a failure's report.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        for (name, _) in &self.processes {
            let log = fs::read_to_string(self.folder.join(format!("{name}.log")));
            let lines: Vec<String> = log.unwrap_or_default().lines().map(str::to_owned).collect();
            for line in lines.iter().rev().take(12).rev() {
                text.push_str(&format!("    {name}: {line}\n"));
            }
        }
        text
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        for (_, child) in &mut self.processes {
            // A stopped process cannot be killed gently; nothing of it is needed any more.
            if child.kill().is_ok() {
                drop(child.wait());
            }
        }
        drop(run(Command::new("ip").args(["netns", "del", &self.name])));
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Removes namespaces and folders that a killed run left behind.
pub(crate) fn sweep() -> Result<()> {
    let list = run(Command::new("ip").args(["netns", "list"]))?;
    for name in list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let owner = name.rsplit('-').next().unwrap_or_default();
        if name.starts_with(PREFIX) && !Path::new("/proc").join(owner).exists() {
            drop(run(Command::new("ip").args(["netns", "del", name])));
            drop(fs::remove_dir_all(std::env::temp_dir().join(name)));
        }
    }
    Ok(())
}

/// Runs a command to its end; gives what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {}", command.get_program().display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} {}: {text}{errors}",
        command.get_program().display(),
        command
            .get_args()
            .map(|a| a.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    );
    Ok(text)
}
