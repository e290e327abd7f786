//! The example `own-routers` as its README runs it: its script starts FRR and BIRD, its directory is brought up as
//! it stands, and the primary path is cut.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant as Clock};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::edges::until;
use crate::lab::Lab;
use crate::namespace::run;

/// Where the script keeps the daemons' files.
const PLACE: &str = "/run/own-routers";
/// The namespaces that it makes, with what runs in them.
const NAMESPACES: [&str; 2] = ["frr", "bird"];
/// An address of the site, on both routers, and the host in the virtual network.
const SITE_ADDRESS: &str = "192.168.0.1";
const APP_ADDRESS: &str = "10.20.1.4";
const APP_NETWORK: &str = "10.20.0.0/16";
/// The daemons start when their port appears, and BIRD waits five seconds before it dials. After a cut, FRR's
/// attempts to dial lie as far apart as the kernel's repetitions of a SYN.
const UP_MAX: Duration = Duration::from_secs(60);
/// Echo requests during the cut, each a flow of its own, and how many may be lost: BFD takes 0.9 s, the lab file
/// allows two, and `ping` waits two seconds for each that is lost.
const ECHOES: u64 = 40;
const INTERVAL: &str = "100";
const LOST_MAX: u64 = 1;

/// Both sessions come up as the README says, packets cross from both sides, and traffic survives the primary path.
pub(crate) fn own_routers(label: &str) -> Result<()> {
    // Somebody may be at it on this machine.
    ensure!(
        !Path::new(PLACE).exists(),
        "{PLACE} is there: the example runs, or was killed; `routers.sh stop` ends it"
    );
    let routers = Routers::start()?;
    // Its expectation cannot hold before the routers have dialled.
    let lab = Lab::up_unproved(label, &example())?;
    let began = Clock::now();
    until(UP_MAX, || both_up(&lab)).with_context(|| state(&lab))?;
    println!(
        "    both sessions up after {} ms",
        began.elapsed().as_millis()
    );
    for (router, format, file) in [
        ("ce1", "frr", "ce1-frr.conf"),
        ("ce2", "bird", "ce2-bird.conf"),
    ] {
        let words = [
            "show",
            "ce-config",
            "hq",
            router,
            "--format",
            format,
            "--show-secrets",
        ];
        let printed = lab.run(&words)?;
        let own = fs::read_to_string(example().join(file))?;
        ensure!(
            printed.trim_end() == own.trim_end(),
            "{file} is not {printed}"
        );
    }
    // The second look: now everything holds, on packets and in the proofs.
    lab.run(&["up", &example().to_string_lossy()])?;
    for namespace in NAMESPACES {
        from_the_site(namespace)?;
    }
    primary_path(&lab).with_context(|| state(&lab))?;
    lab.run(&["down"])?;
    drop(lab);
    routers.stop()
}

/// Cuts the primary path under traffic, and mends it.
fn primary_path(lab: &Lab) -> Result<()> {
    let before = received()?;
    let said = lab.run(&[
        "ping",
        "app",
        SITE_ADDRESS,
        "--count",
        "20",
        "--interval",
        "10",
    ])?;
    ensure!(said.contains("20 received"), "before the cut: {said}");
    let after = received()?;
    ensure!(
        (0..2).all(|path| after[path] > before[path] + 2),
        "not both paths carry: {before:?} and {after:?}"
    );
    let count = ECHOES.to_string();
    let words = [
        "ping",
        "app",
        SITE_ADDRESS,
        "--count",
        &count,
        "--interval",
        INTERVAL,
    ];
    let mut ping = lab.command(&[&words[..], &["--output", "json"]].concat());
    let ping = ping.stdout(Stdio::piped()).spawn()?;
    lab.run(&["provider", "set", "hq/primary", "fault=silent"])?;
    let cut = Clock::now();
    until(UP_MAX, || Ok(!knows_the_way("frr")?))?;
    let took_ms = cut.elapsed().as_millis();
    let output = ping.wait_with_output()?;
    let document: Value = serde_json::from_slice(&output.stdout)?;
    let lost = ECHOES - document["received"].as_u64().context("a count")?;
    println!("    primary cut: FRR knows after {took_ms} ms, {lost} of {ECHOES} echoes lost");
    ensure!(lost <= LOST_MAX, "{lost} echoes of {ECHOES} were lost");
    moved(lab)?;
    lab.run(&["provider", "set", "hq/primary", "fault=ok"])?;
    let mended = Clock::now();
    until(UP_MAX, || both_up(lab)).context("after it was mended")?;
    println!(
        "    mended: both sessions up after {} ms",
        mended.elapsed().as_millis()
    );
    from_the_site("frr")
}

/// Everything goes over the secondary path.
fn moved(lab: &Lab) -> Result<()> {
    let before = received()?;
    let said = lab.run(&[
        "ping",
        "app",
        SITE_ADDRESS,
        "--count",
        "20",
        "--interval",
        "10",
    ])?;
    ensure!(said.contains("20 received"), "after the cut: {said}");
    let after = received()?;
    ensure!(
        after[0] == before[0] && after[1] >= before[1] + 20,
        "FRR's and BIRD's ports received {before:?} and {after:?}"
    );
    // With one path there is one way back, so each answer finds its way.
    let answers = inside(
        "bird",
        &[
            "ping",
            "-I",
            SITE_ADDRESS,
            "-c",
            "3",
            "-i",
            "0.2",
            APP_ADDRESS,
        ],
    )?;
    ensure!(answers.contains(" 3 received"), "from the site: {answers}");
    ensure!(
        inside(
            "frr",
            &[
                "ping",
                "-I",
                SITE_ADDRESS,
                "-c",
                "1",
                "-W",
                "1",
                APP_ADDRESS
            ]
        )
        .is_err(),
        "FRR reaches the app over a path that is cut"
    );
    Ok(())
}

/// Whether BGP and BFD are up on both paths, and each brought the site's network.
fn both_up(lab: &Lab) -> Result<bool> {
    let text = lab.run(&["show", "bgp", "--output", "json"])?;
    let document: Value = serde_json::from_str(&text)?;
    let rows = document["rows"].as_array().context("rows")?;
    let is_good = |row: &Value| {
        row["state"] == "Established" && row["bfd"] == "up" && row["prefixes_received"] == 1
    };
    // The routers' kernels have the way back a moment later.
    Ok(rows.len() == 2
        && rows.iter().all(is_good)
        && knows_the_way("frr")?
        && knows_the_way("bird")?)
}

/// Whether a router's kernel forwards to the virtual network.
fn knows_the_way(namespace: &str) -> Result<bool> {
    let routes = inside(namespace, &["ip", "route", "show", APP_NETWORK])?;
    Ok(routes.contains("via 172.30.255."))
}

/// An echo from a router's own address in the site.
fn from_the_site(namespace: &str) -> Result<()> {
    let words = [
        "ping",
        "-I",
        SITE_ADDRESS,
        "-c",
        "1",
        "-W",
        "1",
        APP_ADDRESS,
    ];
    // Both routers have the address, and the answer goes to either: each attempt is a flow of its own.
    let answered = (0..12).any(|_| inside(namespace, &words).is_ok());
    ensure!(answered, "no echo comes back to {namespace}");
    Ok(())
}

/// Packets that FRR's and BIRD's ports have received, without what their own sessions bring.
fn received() -> Result<[u64; 2]> {
    let mut counts = [0; 2];
    for (count, namespace) in counts.iter_mut().zip(NAMESPACES) {
        let text = inside(namespace, &["cat", "/proc/net/snmp"])?;
        let mut rows = text.lines().filter_map(|line| line.strip_prefix("Icmp: "));
        let (names, values) = (
            rows.next().context("names")?,
            rows.next().context("values")?,
        );
        let mut pairs = names.split(' ').zip(values.split(' '));
        // RFC 4293 §5: `icmpMsgStatsInPkts` of echo requests.
        let found = pairs.find(|(name, _)| *name == "InEchos");
        *count = found.context("a counter of echo requests")?.1.parse()?;
    }
    Ok(counts)
}

/// The README's `routers.sh`.
struct Routers;

impl Routers {
    fn start() -> Result<Self> {
        script("start")?;
        Ok(Self)
    }

    /// Nothing of them is left.
    fn stop(self) -> Result<()> {
        let processes = processes()?;
        ensure!(
            processes.len() >= 5,
            "five daemons were started: {processes:?}"
        );
        script("stop")?;
        let gone = || Ok(processes.iter().all(|pid| !is_alive(pid)));
        until(Duration::from_secs(10), gone).context("daemons outlive routers.sh stop")?;
        ensure!(!Path::new(PLACE).exists(), "{PLACE} is left");
        let left = run(Command::new("ip").args(["netns", "list"]))?;
        let mut names = left
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        ensure!(
            !names.any(|name| NAMESPACES.contains(&name)),
            "left: {left}"
        );
        Ok(())
    }
}

impl Drop for Routers {
    fn drop(&mut self) {
        // Nothing that could be done about a failure while another one is reported.
        script("stop").ok();
    }
}

fn script(word: &str) -> Result<String> {
    run(Command::new(example().join("routers.sh")).arg(word))
}

/// The daemons, by number.
fn processes() -> Result<Vec<String>> {
    let mut all = Vec::new();
    for namespace in NAMESPACES {
        let pids = run(Command::new("ip").args(["netns", "pids", namespace]))?;
        all.extend(pids.split_whitespace().map(str::to_owned));
    }
    Ok(all)
}

/// Whether a process is there and has not ended: whoever adopted it may be slow to notice.
fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| {
        line.strip_prefix("State:")
            .is_some_and(|state| !state.trim_start().starts_with('Z'))
    })
}

fn inside(namespace: &str, words: &[&str]) -> Result<String> {
    run(Command::new("ip")
        .args(["netns", "exec", namespace])
        .args(words))
}

/// What both ends say, for a failure's report.
fn state(lab: &Lab) -> String {
    let bgp = lab.run(&["show", "bgp"]).unwrap_or_default();
    let logs = ["frr.log", "bird.log"].map(|name| fs::read_to_string(Path::new(PLACE).join(name)));
    let logs = logs.map(Result::unwrap_or_default).concat();
    let summary = inside(
        "frr",
        &[
            "vtysh",
            "--vty_socket",
            "/run/own-routers/frr",
            "-c",
            "show bgp summary",
        ],
    );
    let protocols = inside(
        "bird",
        &[
            "birdc",
            "-s",
            "/run/own-routers/bird.ctl",
            "show",
            "protocols",
        ],
    );
    [
        bgp,
        summary.unwrap_or_default(),
        protocols.unwrap_or_default(),
        logs,
    ]
    .concat()
}

fn example() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/own-routers")
}
