//! Namespace hosts as their users meet them: programs in them, an ordinary user's lab, and what is left of labs
//! that were killed. Needs root and /dev/net/tun.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of a test are part of it, and a test says when it is skipped"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// An ordinary user that every system has.
const NOBODY: &str = "65534";

/// Who runs the labs of a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum User {
    Root,
    /// An ordinary user, with the usual mode of /dev/net/tun.
    Ordinary,
    /// An ordinary user, and the device is the administrator's alone.
    WithoutTun,
}

/// A folder that anybody may read, with the binary, the example and a place for control sockets.
struct Home {
    folder: tempfile::TempDir,
    user: User,
}

impl Home {
    /// `None` when the tests cannot run here; with `CI=true` that is a failure.
    fn new(user: User) -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let able = is_root && Path::new("/dev/net/tun").exists();
        if !able {
            assert!(
                std::env::var_os("CI").is_none(),
                "needs root and /dev/net/tun"
            );
            println!("skipped: needs root and /dev/net/tun");
            return None;
        }
        let home = Self {
            folder: tempfile::tempdir().unwrap(),
            user,
        };
        open_to_all(home.folder.path(), 0o755);
        fs::copy(env!("CARGO_BIN_EXE_skybridge"), home.path("skybridge")).unwrap();
        fs::copy(std::env::current_exe().unwrap(), home.path("helper")).unwrap();
        fs::create_dir(home.path("example")).unwrap();
        for entry in fs::read_dir(example()).unwrap() {
            let entry = entry.unwrap();
            let to = home.path("example").join(entry.file_name());
            fs::copy(entry.path(), to).unwrap();
        }
        // One folder per user: the place of control sockets must be its user's alone.
        fs::create_dir(home.path("run")).unwrap();
        open_to_all(&home.path("run"), 0o700);
        if user != User::Root {
            let owner = Some(NOBODY.parse().unwrap());
            std::os::unix::fs::chown(home.path("run"), owner, owner).unwrap();
        }
        Some(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let binary = self.path("skybridge");
        let mut command = match self.user {
            User::Root => Command::new(binary),
            User::Ordinary | User::WithoutTun => {
                let mode = if self.user == User::Ordinary {
                    "666"
                } else {
                    "600"
                };
                let script = format!(
                    "mknod {tun} c 10 200 2>/dev/null; chmod {mode} {tun}; mount --bind {tun} /dev/net/tun && \
                     exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups \"$@\"",
                    tun = self.path("tun").display()
                );
                let mut command = Command::new("unshare");
                command
                    .args(["--mount", "sh", "-c", &script, "sh"])
                    .arg(binary);
                command
            }
        };
        command
            .args(args)
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env_remove("COLUMNS");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn up(&self) -> Output {
        let example = self.path("example");
        let example = example.to_str().unwrap();
        self.run(&[
            "up",
            example,
            "--hosts",
            "netns",
            "--detach",
            "--no-simulation",
        ])
    }

    /// Starts this test's helper in a host's namespace.
    fn helper(&self, host: &str, role: &str) -> Command {
        let helper = self.path("helper");
        let mut command = self.command(&["exec", host, "--", helper.to_str().unwrap()]);
        command
            .args(["helper", "--exact", "--nocapture"])
            .env("SKYBRIDGE_TEST_ROLE", role);
        command
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.run(&["down"]);
        self.run(&["clean"]);
    }
}

fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/azure-oci")
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// What the other tests start inside a namespace: a server for one connection, or its client. Nothing where
/// nobody says which.
#[test]
fn helper() {
    let Ok(role) = std::env::var("SKYBRIDGE_TEST_ROLE") else {
        return;
    };
    let (role, address) = role.split_once(' ').unwrap();
    match role {
        "serve" => {
            let listener = TcpListener::bind(address).unwrap();
            println!("listening");
            let (mut stream, from) = listener.accept().unwrap();
            let mut greeting = String::new();
            stream.read_to_string(&mut greeting).unwrap();
            println!("{} octets from {}", greeting.len(), from.ip());
        }
        "send" => {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&[b'x'; 3_000_000]).unwrap();
        }
        _ => panic!("no role"),
    }
}

fn programs_talk(home: &Home) {
    let up = home.up();
    assert_eq!(
        up.status.code(),
        Some(0),
        "{}{}",
        text(&up.stdout),
        text(&up.stderr)
    );
    let mut server = home
        .helper("azurerm_linux_virtual_machine.app[0]", "serve 0.0.0.0:8080")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    lines
        .find(|line| line.as_ref().unwrap().ends_with("listening"))
        .unwrap()
        .unwrap();
    // By name, over super-frames: three million octets through both clouds.
    let client = home.helper("db", "send app-0:8080").output().unwrap();
    assert!(client.status.success(), "{}", text(&client.stdout));
    let said = lines
        .find(|line| line.as_ref().unwrap().contains("octets from"))
        .unwrap()
        .unwrap();
    assert_eq!(said, "3000000 octets from 10.40.1.2");
    assert!(server.wait().unwrap().success());
}

#[test]
fn programs_in_two_clouds_talk_through_the_network() {
    let Some(home) = Home::new(User::Root) else {
        return;
    };
    programs_talk(&home);
    let code = home
        .run(&["exec", "db", "--", "sh", "-c", "exit 7"])
        .status
        .code();
    assert_eq!(code, Some(7), "the program's exit code is passed on");
    let code = home
        .run(&["exec", "db", "--", "/no/such/program"])
        .status
        .code();
    assert_eq!(code, Some(127));
    let nobody = home.run(&["exec", "ap-0", "--", "true"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(
        text(&nobody.stderr).contains("app-0"),
        "{}",
        text(&nobody.stderr)
    );
    let ping = home.run(&["ping", "app-0", "db", "--count", "2"]);
    assert!(
        text(&ping.stdout).contains("2 sent, 2 received"),
        "{}",
        text(&ping.stdout)
    );
    let trace = home.run(&["trace", "db", "app-0"]);
    let hops = text(&trace.stdout);
    assert!(hops.contains("delivered both ways"), "{hops}");
    for (order, carrier) in [("cut", "0"), ("heal", "1")] {
        home.run(&[order, "vnet/payments-app--app-1"]);
        let shown = home.run(&["exec", "app-1", "--", "cat", "/sys/class/net/eth0/carrier"]);
        assert_eq!(text(&shown.stdout).trim(), carrier, "{order}");
    }
    let interfaces = home.run(&["exec", "db", "--", "ls", "/sys/class/net"]);
    assert_eq!(
        text(&interfaces.stdout)
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["eth0", "lo"]
    );
}

#[test]
fn an_ordinary_user_has_namespace_hosts_too() {
    let Some(home) = Home::new(User::Ordinary) else {
        return;
    };
    programs_talk(&home);
    let id = home.run(&["exec", "db", "--", "id", "-u"]);
    assert_eq!(text(&id.stdout).trim(), NOBODY, "programs run as the user");
}

#[test]
fn where_the_system_does_not_allow_it_the_user_learns_what_to_do() {
    let Some(home) = Home::new(User::WithoutTun) else {
        return;
    };
    let up = home.up();
    assert_eq!(
        up.status.code(),
        Some(70),
        "the lab in the background does not start"
    );
    let example = home.path("example");
    let once = home.run(&[
        "up",
        example.to_str().unwrap(),
        "--hosts",
        "netns",
        "--once",
    ]);
    assert_eq!(once.status.code(), Some(2));
    assert!(
        text(&once.stderr).contains("chmod 0666 /dev/net/tun"),
        "{}",
        text(&once.stderr)
    );
}

#[test]
fn an_internal_host_cannot_be_entered_and_says_how_it_could() {
    let Some(home) = Home::new(User::Root) else {
        return;
    };
    let example = home.path("example");
    home.run(&[
        "up",
        example.to_str().unwrap(),
        "--detach",
        "--no-simulation",
    ]);
    let refused = home.run(&["exec", "db", "--", "true"]);
    assert_ne!(refused.status.code(), Some(0));
    assert!(
        text(&refused.stderr).contains("--hosts netns"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn the_namespace_of_an_attached_router_is_entered_by_its_name_and_has_the_port() {
    let Some(home) = Home::new(User::Root) else {
        return;
    };
    let site = home.path("site");
    fs::create_dir(&site).unwrap();
    let from = example().join("../own-routers");
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".tf") || name.ends_with(".hcl") {
            // Names that nobody has given a namespace of the system.
            let text = fs::read_to_string(entry.path()).unwrap();
            let text = text.replace("netns:frr", "netns:sky-test-one");
            fs::write(
                site.join(name),
                text.replace("netns:bird", "netns:sky-test-two"),
            )
            .unwrap();
        }
    }
    let up = home.run(&["up", site.to_str().unwrap(), "--detach", "--no-simulation"]);
    // Nobody routes there yet, so what is expected does not hold.
    assert_eq!(
        up.status.code(),
        Some(1),
        "{}{}",
        text(&up.stdout),
        text(&up.stderr)
    );
    for name in ["sky-test-one", "sky-test-two"] {
        let shown = home.run(&["exec", name, "--", "ls", "/sys/class/net"]);
        let shown = text(&shown.stdout);
        assert_eq!(
            shown.split_whitespace().collect::<Vec<_>>(),
            ["lo", "wan"],
            "{name}"
        );
    }
    let namespaces = fs::read_dir("/run/netns").map_or(0, |entries| {
        let names = entries.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with("sky-test"))
            .count()
    });
    assert_eq!(namespaces, 0, "it has no name that could stay behind");
}

/// Numbers that look random and are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        // Knuth, The Art of Computer Programming 3.3.4, the multiplier of MMIX.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Processes that were started for this home, by number.
fn processes_of(home: &Home) -> Vec<(u32, String)> {
    let mark = format!("XDG_RUNTIME_DIR={}\0", home.path("run").display());
    let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let ours = environment
            .windows(mark.len())
            .any(|part| part == mark.as_bytes());
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        (ours && !line.is_empty()).then(|| (pid, text(&line).replace('\0', " ")))
    });
    entries.collect()
}

fn interfaces() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/net/dev").unwrap();
    let names = text.lines().filter_map(|line| line.split_once(':'));
    names
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| name.contains("eth0") || name.contains("trial"))
        .collect()
}

/// Network namespaces that a process is in or holds by a descriptor.
fn namespaces_held(home: &Home) -> usize {
    let mut held = BTreeSet::new();
    for (pid, _) in processes_of(home) {
        let own = fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let open = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten();
        let open = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        held.extend(
            open.chain(own)
                .filter(|link| link.to_string_lossy().starts_with("net:[")),
        );
    }
    held.remove(&fs::read_link("/proc/self/ns/net").unwrap());
    held.len()
}

/// Ends a lab that is up, with a program in a namespace of it, which lives on.
fn kill_under_a_program(home: &Home) -> Child {
    let example = home.path("example");
    let words = [
        "up",
        example.to_str().unwrap(),
        "--hosts",
        "netns",
        "--no-simulation",
    ];
    let mut lab = home.command(&words).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(lab.stdout.take().unwrap()).lines();
    // The report is printed when everything is up.
    assert!(lines.any(|line| line.unwrap().contains("Network up after")));
    let script = "echo inside; exec sleep 600";
    let mut program = home
        .command(&["exec", "app-0", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(program.stdout.take().unwrap());
    assert_eq!(said.lines().next().unwrap().unwrap(), "inside");
    lab.kill().unwrap();
    lab.wait().unwrap();
    program
}

/// Ends labs at random moments, with programs in their namespaces where there was time for one.
fn kill_at_random(home: &Home, seed: u64, runs: u32) {
    let mut seeded = Seeded(seed);
    let before = interfaces();
    let example = home.path("example");
    let mut programs: Vec<Child> = Vec::new();
    for _ in 0..runs {
        let mut lab = home
            .command(&["up", example.to_str().unwrap(), "--hosts", "netns"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moment = Duration::from_millis(seeded.below(900));
        let until = Instant::now() + moment;
        if seeded.below(3) == 0 {
            while Instant::now() < until {
                let mut started = home
                    .command(&["exec", "app-0", "--", "sleep", "600"])
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                std::thread::sleep(Duration::from_millis(30));
                // It ends at once where there is no namespace yet.
                if started.try_wait().unwrap().is_none() {
                    programs.push(started);
                    break;
                }
            }
        }
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        lab.kill().unwrap();
        lab.wait().unwrap();
    }
    programs.push(kill_under_a_program(home));
    assert!(namespaces_held(home) > 0, "there is nothing to clean");
    let cleaned = home.run(&["clean", "--output", "json"]);
    assert_eq!(cleaned.status.code(), Some(0), "{}", text(&cleaned.stdout));
    for mut program in programs {
        program.wait().unwrap();
    }
    assert_eq!(processes_of(home), [], "{}", text(&cleaned.stdout));
    assert_eq!(namespaces_held(home), 0);
    assert_eq!(interfaces(), before);
    let folder = home.path("run").join("skybridge");
    let left: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    let again = home.run(&["clean"]);
    assert_eq!(text(&again.stdout), "nothing was left behind\n");
}

#[test]
fn nothing_is_left_of_labs_of_root_killed_at_random_moments() {
    if let Some(home) = Home::new(User::Root) {
        kill_at_random(&home, 1, 24);
    }
}

#[test]
fn nothing_is_left_of_labs_of_an_ordinary_user_killed_at_random_moments() {
    if let Some(home) = Home::new(User::Ordinary) {
        kill_at_random(&home, 2, 24);
    }
}
