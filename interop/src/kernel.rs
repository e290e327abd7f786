//! The kernel's own TCP and path MTU discovery, in the network namespaces of a lab's hosts: over a circuit that
//! loses, and over a path that takes less than its ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant as Clock};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::lab::{Background, Lab, User, example};
use crate::namespace::run;

/// The database's port: the one that the example's security lists let through.
const PORT: u16 = 1521;
/// Octets of a transfer, each way.
const OCTETS: usize = 16 << 20;
/// A transfer takes a second or two.
const TRANSFER_MAX: Duration = Duration::from_secs(60);
/// An ICMP error is back within milliseconds.
const LEARN_MAX: Duration = Duration::from_secs(5);
/// First word of this program's arguments when it is one end of a transfer.
const ROLE: &str = "kernel-role";
/// No frame of the host in Azure is longer on the wire: what is came whole, as one for many (GSO).
const FRAME_LEN_MAX: u64 = 1514;
/// Longest packets of a host in OCI, and of the way to Azure.
const JUMBO_MTU: &str = "9000";
const PATH_MTU: &str = "mtu 1500";
/// Both paths of the circuit lose, each way. Nothing of the lab file may answer in place of the programs, and
/// what the example expects is not what is tried here.
const LAB_FILE: &str =
    "link \"lossy\" {\n  circuit = azurerm_express_route_circuit.this\n  loss    = \"1%\"\n}\n";
/// Lost of a million packets on that link, by its own counters.
const LOST_PPM: std::ops::Range<u64> = 3_000..30_000;

/// Transfers of the kernel's TCP are exact both ways over a circuit that loses 1 % each way, and hosts learn that
/// the way to the other cloud takes less than they do.
pub(crate) fn kernel(label: &str) -> Result<()> {
    let net = Network::create(label, User::Root)?;
    net.lossy_transfers()?;
    net.learns_from_a_datagram()?;
    // An administrator of the Azure host who takes jumbo frames for granted: both ends agree on segments that
    // only the routers between them can refuse.
    net.said("app-0", &["ip", "link", "set", "eth0", "mtu", JUMBO_MTU])?;
    net.forget()?;
    let took = net.transfer()?;
    println!("    {took} with {JUMBO_MTU} octets of MTU at both ends");
    for (host, other) in [("app-0", "db"), ("db", "app-0")] {
        let route = net.route(host, other)?;
        ensure!(
            route.contains(PATH_MTU),
            "TCP of {host} has not learned: {route}"
        );
    }
    Ok(())
}

/// As [`kernel`], in an ordinary user's lab, where nothing may be set in the namespaces.
pub(crate) fn kernel_of_ordinary_user(label: &str) -> Result<()> {
    let net = Network::create(label, User::Ordinary)?;
    let id = net.said("db", &["id", "-u"])?;
    ensure!(
        id.trim() == User::ORDINARY_ID.to_string(),
        "programs run as {id}"
    );
    net.lossy_transfers()?;
    net.learns_from_a_datagram()
}

/// A lab whose hosts are namespaces, joined by a circuit that loses.
struct Network {
    lab: Lab,
    /// This program, where the lab's user may start it.
    program: PathBuf,
    folder: PathBuf,
}

impl Network {
    fn create(label: &str, user: User) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("sky-{label}-net-{}", std::process::id()));
        fs::create_dir_all(folder.join("example"))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        for entry in fs::read_dir(example())? {
            let path = entry?.path();
            let name = path.file_name().context("a file has a name")?;
            fs::copy(&path, folder.join("example").join(name))?;
        }
        let directory = folder.join("example");
        fs::write(directory.join("lab.sky.hcl"), LAB_FILE)?;
        let program = folder.join("end");
        fs::copy(std::env::current_exe()?, &program)?;
        let lab = Lab::up_as(user, label, &directory, &["--hosts", "netns"])?;
        Ok(Self {
            lab,
            program,
            folder,
        })
    }

    fn inside(&self, host: &str, words: &[&str]) -> Command {
        self.lab.command(&[&["exec", host, "--"], words].concat())
    }

    /// What a program in a host's namespace prints.
    fn said(&self, host: &str, words: &[&str]) -> Result<String> {
        run(&mut self.inside(host, words))
    }

    /// What a role of this program in a host's namespace prints.
    fn plays(&self, host: &str, words: &[&str]) -> Result<String> {
        let program = self.program.display().to_string();
        self.said(host, &[&[&program, ROLE], words].concat())
    }

    fn lossy_transfers(&self) -> Result<()> {
        let lost_before = self.circuit()?.0;
        let resent_before = [self.resent("app-0")?, self.resent("db")?];
        let took = self.transfer()?;
        let (lost, carried) = self.circuit()?;
        let lost = lost - lost_before;
        let lost_ppm = lost * 1_000_000 / carried.max(1);
        let resent = [
            self.resent("app-0")? - resent_before[0],
            self.resent("db")? - resent_before[1],
        ];
        println!(
            "    {took}: {lost} packets of {carried} lost, {} and {} segments sent again",
            resent[0], resent[1]
        );
        ensure!(LOST_PPM.contains(&lost_ppm), "{lost_ppm} ppm lost, not 1 %");
        // One acknowledgement covers many segments, but data that are lost are repaired one for one. The policers
        // of circuit and gateway drop bursts besides, hence no upper bound.
        let resent: u64 = resent.iter().sum();
        let mean_len = self.counter("octets out")? / self.counter("frames out")?.max(1);
        ensure!(
            mean_len > FRAME_LEN_MAX,
            "{mean_len} octets a frame: no super-frames"
        );
        ensure!(
            resent > lost / 2,
            "{resent} segments sent again for {lost} lost"
        );
        Ok(())
    }

    /// As many octets there and back; says how long it took.
    fn transfer(&self) -> Result<String> {
        let program = self.program.display().to_string();
        let mut server = self.inside("db", &[&program, ROLE, "serve"]);
        let mut server = Background(server.stdout(Stdio::piped()).spawn()?);
        let lines = server.0.stdout.take().context("a pipe was asked for")?;
        let mut lines = BufReader::new(lines).lines();
        let ready = lines.next().context("the server has ended")??;
        ensure!(ready == "listening", "the server says {ready}");
        let began = Clock::now();
        let client = self.plays("app-0", &["send", &format!("db:{PORT}")])?;
        let took_ms = began.elapsed().as_millis();
        ensure!(client.trim() == "exact", "what came back is {client}");
        let verdict = lines.next().context("the server has ended")??;
        ensure!(verdict == "exact", "what arrived is {verdict}");
        Ok(format!("{OCTETS} octets each way in {took_ms} ms"))
    }

    /// Packets that the circuit has lost, and all that went into it.
    fn circuit(&self) -> Result<(u64, u64)> {
        let text = self.lab.run(&["show", "links", "--output", "json"])?;
        let document: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        let rows = document["rows"].as_array().context("rows")?;
        let is_lossy = |row: &&Value| {
            let name = row["name"].as_str().unwrap_or_default();
            name.starts_with("washington-dc--us-ashburn-1/")
        };
        let sum = |column: &str| -> u64 {
            let of = |row: &Value| row[column].as_array().cloned().unwrap_or_default();
            let numbers = rows.iter().filter(is_lossy).flat_map(of);
            numbers.filter_map(|number| number.as_u64()).sum()
        };
        Ok((sum("lost"), sum("frames") + sum("lost")))
    }

    /// A counter of the port of the host in Azure.
    fn counter(&self, name: &str) -> Result<u64> {
        let text = self.lab.run(&["show", "counters", "--output", "json"])?;
        let document: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        let mut rows = document["rows"].as_array().context("rows")?.iter();
        let found = rows.find(|row| row["node"] == "app-0" && row["counter"] == name);
        found
            .and_then(|row| row["value"].as_u64())
            .with_context(|| format!("{name} of app-0"))
    }

    /// Segments that a host's kernel has sent again (RFC 4022 §3: `tcpRetransSegs`).
    fn resent(&self, host: &str) -> Result<u64> {
        let text = self.said(host, &["cat", "/proc/net/snmp"])?;
        let mut rows = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let (names, values) = (
            rows.next().context("names")?,
            rows.next().context("values")?,
        );
        let mut pairs = names.split(' ').zip(values.split(' '));
        let found = pairs.find(|(name, _)| *name == "RetransSegs");
        Ok(found.context("a counter of retransmissions")?.1.parse()?)
    }

    /// A datagram with DF that is longer than the path takes: the router says so (RFC 1191 §4), and the kernel
    /// keeps it.
    fn learns_from_a_datagram(&self) -> Result<()> {
        let before = self.route("db", "app-0")?;
        ensure!(!before.contains("mtu"), "known before: {before}");
        self.plays("db", &["learn", "app-0:9"])?;
        let after = self.route("db", "app-0")?;
        ensure!(after.contains(PATH_MTU), "the route to app-0: {after}");
        Ok(())
    }

    /// The kernel's route in one host to another.
    fn route(&self, host: &str, other: &str) -> Result<String> {
        let all = self.said(host, &["getent", "ahostsv4", other])?;
        let address = all.split_whitespace().next().context("an address")?;
        self.said(host, &["ip", "route", "get", address])
    }

    /// Both hosts forget what they know of the path.
    fn forget(&self) -> Result<()> {
        for host in ["db", "app-0"] {
            self.said(host, &["ip", "route", "flush", "cache"])?;
        }
        let route = self.route("db", "app-0")?;
        ensure!(!route.contains("mtu"), "not forgotten: {route}");
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Nothing that could be done about a failure while another one is reported.
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Plays one end when this program was started as such inside a namespace.
pub(crate) fn role(arguments: &[String]) -> Option<Result<()>> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [ROLE, "serve"] => Some(serve()),
        [ROLE, "send", to] => Some(send(to)),
        [ROLE, "learn", of] => Some(learn(of)),
        _ => None,
    }
}

/// Octets in which a piece in the wrong place shows.
fn pattern() -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(OCTETS).collect()
}

fn serve() -> Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", PORT))?;
    println!("listening");
    let (client, _) = listener.accept()?;
    println!("{}", receive(&client)?);
    transmit(&client)
}

fn send(to: &str) -> Result<()> {
    let server = TcpStream::connect(to)?;
    transmit(&server)?;
    println!("{}", receive(&server)?);
    Ok(())
}

fn transmit(mut stream: &TcpStream) -> Result<()> {
    stream.set_write_timeout(Some(TRANSFER_MAX))?;
    stream.write_all(&pattern())?;
    Ok(stream.shutdown(Shutdown::Write)?)
}

fn receive(mut stream: &TcpStream) -> Result<&'static str> {
    stream.set_read_timeout(Some(TRANSFER_MAX))?;
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets)?;
    Ok(if octets == pattern() {
        "exact"
    } else {
        "damaged"
    })
}

/// Sends datagrams that fit the interface, with DF as Linux does, until the kernel refuses one by what came back.
fn learn(of: &str) -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(of)?;
    let began = Clock::now();
    // A lossy circuit may lose one, or the error about it.
    while socket.send(&[0; 4000]).is_ok() {
        ensure!(began.elapsed() < LEARN_MAX, "no error came back");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
