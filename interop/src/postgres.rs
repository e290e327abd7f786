//! A real PostgreSQL server behind the example's database host, and psql on this machine: by a forwarded port,
//! through SOCKS, and over a cut of the path that is in use.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant as Clock};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::lab::{Background, Lab, example};
use crate::namespace::run;

/// PostgreSQL refuses to run as root; this user exists everywhere.
const NOBODY: u32 = 65_534;
/// The server answers within this once it is started.
const START_MAX: Duration = Duration::from_secs(20);
/// BFD notices a silent cut within a second; the rest is retransmission, which doubles its wait.
const SURVIVE_MAX: Duration = Duration::from_secs(15);

/// A server with data of its own, on loopback.
struct Server {
    port: u16,
    folder: PathBuf,
    _process: Background,
}

impl Server {
    fn start(label: &str) -> Result<Self> {
        let name = format!("sky-{label}-pg-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder)?;
        chown(&folder, Some(NOBODY), Some(NOBODY))?;
        let data = folder.join("data");
        let as_nobody = |program: &str| {
            let mut command = Command::new(find(program));
            command
                .uid(NOBODY)
                .gid(NOBODY)
                .current_dir(&folder)
                .env("HOME", &folder)
                .stdin(Stdio::null());
            command
        };
        let mut make = as_nobody("initdb");
        make.arg("-D").arg(&data);
        run(make.args(["-U", "app", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]))?;
        let port = free_port()?;
        let log = fs::File::create(folder.join("log"))?;
        let process = as_nobody("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "fsync=off"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("start postgres")?;
        let server = Self {
            port,
            folder,
            _process: Background(process),
        };
        let until = Clock::now() + START_MAX;
        while psql(port, "SELECT 1").is_err() {
            let log = || fs::read_to_string(server.folder.join("log")).unwrap_or_default();
            ensure!(
                Clock::now() < until,
                "the server does not start:\n{}",
                log()
            );
            thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing that could be done about a failure while another one is reported.
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A program of PostgreSQL's server package, which stands outside PATH on Debian.
fn find(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let folders = versions.flatten().map(|entry| entry.path().join("bin"));
    let found = folders
        .map(|folder| folder.join(program))
        .find(|path| path.exists());
    found.unwrap_or_else(|| program.into())
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

fn psql_at(port: u16) -> Command {
    let mut command = Command::new("psql");
    command
        .args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
        ])
        .args(["-U", "app", "-d", "postgres"])
        .env("PGCONNECT_TIMEOUT", "20")
        .stdin(Stdio::null());
    command
}

/// One statement to its end; gives what psql prints.
fn psql(port: u16, statement: &str) -> Result<String> {
    let said = run(psql_at(port).args(["-c", statement]))?;
    Ok(said.trim_end().to_owned())
}

/// The example with the server behind its database, and a forwarded port in the lab file.
fn directory(folder: &Path, server: u16, forwarded: u16) -> Result<PathBuf> {
    let copy = folder.join("network");
    fs::create_dir_all(&copy)?;
    for entry in fs::read_dir(example())? {
        let path = entry?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            let text = fs::read_to_string(&path)?;
            fs::write(
                copy.join(name),
                text.replace(":5432\"", &format!(":{server}\"")),
            )?;
        }
    }
    let forward = format!(
        "forward \"psql\" {{\n  listen = \"127.0.0.1:{forwarded}\"\n  \
         from = azurerm_linux_virtual_machine.app[0]\n  host = oci_core_instance.db\n  \
         tcp = var.database_port\n}}\n"
    );
    fs::write(copy.join("forward.sky.hcl"), forward)?;
    Ok(copy)
}

/// Rows come back by every way in, ten megabytes arrive whole, and a session outlives cuts of the path.
pub(crate) fn postgres(label: &str) -> Result<()> {
    let server = Server::start(label)?;
    let forwarded = free_port()?;
    let network = directory(&server.folder, server.port, forwarded)?;
    let lab = Lab::up(label, &network)?;
    let sum = "SELECT sum(n) FROM generate_series(1, 1000) n";
    let said = psql(forwarded, sum).context("by the port of the lab file")?;
    ensure!(said == "500500", "by the port of the lab file: {said}");
    let whole = "SELECT md5(string_agg(n::text, '')), string_agg(n::text, '') \
                 FROM generate_series(1, 1600000) n";
    let said = psql(forwarded, whole)?;
    let (digest, text) = said.split_once('|').context("two columns")?;
    ensure!(text.len() > 10_000_000, "{} octets arrived", text.len());
    let all: String = (1..=1_600_000_u32).map(|n| n.to_string()).collect();
    ensure!(text == all, "what arrived is not what was sent ({digest})");
    by_command(&lab, sum)?;
    by_socks(&lab, sum)?;
    outlives_cuts(&lab, || psql_at(forwarded))
}

/// psql in the network namespace of an Azure host: the kernel's own TCP as far as the network, and the server behind
/// the database host.
pub(crate) fn postgres_in_namespace(label: &str) -> Result<()> {
    let server = Server::start(label)?;
    let network = directory(&server.folder, server.port, free_port()?)?;
    let lab = Lab::up_with(label, &network, &["--hosts", "netns"])?;
    let inside = |more: &[&str]| {
        let mut command = lab.command(&["exec", "app-0", "--", "psql", "-h", "db", "-p", "1521"]);
        command
            .args(["-X", "-A", "-t", "-q", "-U", "app", "-d", "postgres"])
            .args(more)
            .env("PGCONNECT_TIMEOUT", "20");
        command
    };
    let said = run(&mut inside(&["-c", "SELECT inet_server_addr(), 7 * 6"]))?;
    ensure!(
        said.trim_end() == "127.0.0.1|42",
        "in the namespace: {said}"
    );
    outlives_cuts(&lab, || inside(&[]))
}

/// `skybridge forward`, until Ctrl-C.
fn by_command(lab: &Lab, sum: &str) -> Result<()> {
    let (forward, at) = listener(lab, &["forward", "db:1521", "--from", "app-1"])?;
    let said = psql(at.port(), sum).context("by skybridge forward")?;
    ensure!(said == "500500", "by skybridge forward: {said}");
    forward.interrupt()?;
    ensure!(
        psql(at.port(), sum).is_err(),
        "the port is there after Ctrl-C"
    );
    Ok(())
}

/// `skybridge socks`, with a client of others and by a relay for psql, which has no SOCKS of its own.
fn by_socks(lab: &Lab, sum: &str) -> Result<()> {
    let (socks, at) = listener(lab, &["socks", "--from", "app-1", "--listen", "0"])?;
    let proxy = at.to_string();
    let mut curl = Command::new("curl");
    let refused = curl
        .args(["-sS", "--socks5-hostname", &proxy, "http://app-0:99/"])
        .output()?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(said.contains("(5)"), "curl was not refused by code: {said}");
    let relay = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = relay.local_addr()?.port();
    let relaying = thread::spawn(move || relay_one(&relay, at));
    let said = psql(port, sum).context("through SOCKS")?;
    ensure!(said == "500500", "through SOCKS: {said}");
    relaying
        .join()
        .map_err(|_| anyhow!("the relay panicked"))??;
    socks.interrupt()
}

/// A command that listens: itself, and where.
fn listener(lab: &Lab, arguments: &[&str]) -> Result<(Background, SocketAddr)> {
    let mut command = lab.command(arguments);
    command
        .args(["--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut listening = Background(command.spawn()?);
    let stdout = listening.0.stdout.take().context("a pipe was asked for")?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        if let Some(at) = line.trim().strip_prefix("\"listen\": \"") {
            let at = at.trim_end_matches(',').trim_end_matches('"');
            return Ok((listening, at.parse()?));
        }
    }
    bail!("{arguments:?} does not say where it listens")
}

/// Leads one client to `db:1521` by SOCKS 5 (RFC 1928), and carries its bytes.
fn relay_one(relay: &TcpListener, proxy: SocketAddr) -> Result<()> {
    let (client, _) = relay.accept()?;
    let mut server = TcpStream::connect(proxy)?;
    server.write_all(b"\x05\x01\x00\x05\x01\x00\x03\x02db\x05\xf1")?;
    let mut replies = [0; 12];
    server.read_exact(&mut replies)?;
    ensure!(replies[..4] == [5, 0, 5, 0], "SOCKS replies {replies:?}");
    let carry = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            std::io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Write).ok();
        })
    };
    let there = carry(client.try_clone()?, server.try_clone()?);
    let back = carry(server, client);
    for half in [there, back] {
        half.join().map_err(|_| anyhow!("the relay panicked"))?;
    }
    Ok(())
}

/// One session of psql that goes on.
struct Session {
    _process: Background,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Session {
    fn of(mut process: Child) -> Result<Self> {
        let input = process.stdin.take().context("a pipe was asked for")?;
        let output = process.stdout.take().context("a pipe was asked for")?;
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            _process: Background(process),
            input,
            lines,
        })
    }

    fn ask(&mut self, statement: &str) -> Result<String> {
        writeln!(self.input, "{statement};")?;
        self.lines
            .recv_timeout(SURVIVE_MAX)
            .with_context(|| format!("no answer to {statement}"))
    }
}

/// Whichever path a session is on: each is cut in silence while the other carries it.
fn outlives_cuts(lab: &Lab, psql: impl FnOnce() -> Command) -> Result<()> {
    let process = psql()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut session = Session::of(process)?;
    let backend = session.ask("SELECT pg_backend_pid()")?;
    session.ask("CREATE TABLE rows (n int); SELECT 'made'")?;
    let mut count = 0;
    for path in ["primary", "secondary"] {
        let element = format!("payments-oci/{path}");
        lab.run(&["cut", &element, "--mode", "silent"])?;
        for _ in 0..5 {
            count += 1;
            let insert = format!("INSERT INTO rows VALUES ({count}) RETURNING n");
            let said = session
                .ask(&insert)
                .with_context(|| format!("{element} is cut"))?;
            ensure!(said == count.to_string(), "{said} for row {count}");
        }
        lab.run(&["heal"])?;
        let said = session.ask("SELECT 'healed'")?;
        ensure!(said == "healed", "{said}");
        // The path must carry traffic again before the other one is cut.
        established(lab)?;
    }
    let said = session.ask("SELECT count(*) FROM rows")?;
    ensure!(said == count.to_string(), "{said} rows of {count}");
    let same = session.ask("SELECT pg_backend_pid()")?;
    ensure!(same == backend, "another session: {same} after {backend}");
    Ok(())
}

/// Waits until no session is down.
fn established(lab: &Lab) -> Result<()> {
    let until = Clock::now() + Duration::from_secs(40);
    loop {
        let all = lab.run(&["show", "bgp", "--output", "json"])?;
        let states = all.matches("\"state\":").count();
        if states > 0 && states == all.matches("\"state\": \"Established\"").count() {
            return Ok(());
        }
        ensure!(Clock::now() < until, "sessions are still down:\n{all}");
        thread::sleep(Duration::from_millis(500));
    }
}
