//! What the interop tests need from the system.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{Outcome, exists, outcome};

/// Programs and the Debian packages that bring them.
const NEEDED: [(&str, &str); 9] = [
    ("bgpd", "frr"),
    ("bfdd", "frr"),
    ("bird", "bird2"),
    ("tshark", "tshark"),
    ("tcpdump", "tcpdump"),
    ("ip", "iproute2"),
    ("pg_ctlcluster", "postgresql"),
    ("psql", "postgresql-client"),
    ("curl", "curl"),
];

/// Refuses to start services while packages are installed (Debian's invoke-rc.d asks it).
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Makes the programs present, or says what is missing. Installs only on Debian, as root.
pub(crate) fn ensure() -> Outcome {
    if !cfg!(target_os = "linux") {
        return Outcome::Skipped("needs Linux".to_owned());
    }
    if !is_root() {
        return Outcome::Skipped("needs root".to_owned());
    }
    if !Path::new("/dev/net/tun").exists() {
        return Outcome::Skipped("needs /dev/net/tun".to_owned());
    }
    let missing = missing();
    if missing.is_empty() {
        return Outcome::Passed;
    }
    if Path::new("/etc/debian_version").exists() {
        install(&missing);
    }
    let missing = self::missing();
    if missing.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Skipped(format!("needs {}", missing.join(", ")))
    }
}

/// Whether this process runs as root.
fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .and_then(|ids| ids.split_whitespace().nth(1))
            == Some("0")
    })
}

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<_> = NEEDED
        .iter()
        .filter(|(program, _)| !exists(program))
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    packages
}

fn install(packages: &[&str]) {
    // Installing frr or bird2 would start them on this machine.
    let guarded = !Path::new(POLICY).exists();
    if guarded {
        let written = fs::write(POLICY, "#!/bin/sh\nexit 101\n");
        let made = written.and_then(|()| executable(Path::new(POLICY)));
        if let Err(error) = made {
            println!("cannot write {POLICY}: {error}; nothing is installed");
            return;
        }
    }
    let apt = |arguments: &[&str]| {
        outcome(
            Command::new("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .arg("-qq")
                .args(arguments),
        )
    };
    if apt(&["update"]) == Outcome::Passed {
        let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
        arguments.extend(packages);
        apt(&arguments);
    }
    if guarded && let Err(error) = fs::remove_file(POLICY) {
        println!("cannot remove {POLICY}: {error}");
    }
}

#[cfg(unix)]
fn executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Whether a skipped stage counts as failed.
pub(crate) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}
