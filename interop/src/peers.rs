//! The real speakers: FRR and BIRD, each in a namespace of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant as Clock};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::namespace::{Namespace, run};
use crate::ours::{OUR_ADDRESS, OUR_ASN, PEER_ADDRESS, PEER_ASN, PEER_HOST, PEER_PREFIX};
use crate::tap::Cable;

/// Interface of the peer towards us.
const INTERFACE: &str = "sky0";
/// How long a daemon may take to answer its control socket.
const START_MAX: Duration = Duration::from_secs(15);

/// Whose software the peer runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Software {
    /// FRRouting: zebra, bgpd, bfdd.
    Frr,
    /// BIRD 2.
    Bird,
}

/// What differs between scenarios on the peer's side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// The peer waits for our connection.
    pub(crate) passive: bool,
    /// MD5 key.
    pub(crate) key: Option<&'static str>,
    /// BFD interval; the multiplier is 3.
    pub(crate) bfd_interval: Option<Duration>,
    /// Hold time offered.
    pub(crate) hold_time_s: u16,
    /// Further prefixes that the peer announces: `100.64.0.0/24` and so on.
    pub(crate) more_prefixes: u32,
    /// Prefixes that the peer holds back until [`Peer::release`]: `20.0.0.0/24` and so on.
    pub(crate) burst: u32,
}

/// A running peer.
#[derive(Debug)]
pub(crate) struct Peer {
    software: Software,
    namespace: Namespace,
}

impl Peer {
    /// A namespace with the peer's addresses, and our end of the cable into it. Nothing runs yet.
    pub(crate) fn create(software: Software, label: &str) -> Result<(Self, Cable)> {
        let namespace = Namespace::create(label)?;
        let cable = Cable::create(&namespace.name, INTERFACE)?;
        let address = format!("{PEER_ADDRESS}/30");
        namespace.ip(&["addr", "add", &address, "dev", INTERFACE])?;
        namespace.ip(&["addr", "add", &format!("{PEER_HOST}/32"), "dev", "lo"])?;
        namespace.ip(&["link", "set", INTERFACE, "up"])?;
        Ok((
            Self {
                software,
                namespace,
            },
            cable,
        ))
    }

    /// Starts the daemons and waits until they answer.
    pub(crate) fn start(&mut self, options: &Options) -> Result<()> {
        match self.software {
            Software::Frr => self.start_frr(options)?,
            Software::Bird => self.start_bird(options)?,
        }
        let start = Clock::now();
        while start.elapsed() < START_MAX {
            if self.ask(self.is_alive()).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        bail!("the peer does not answer\n{}", self.namespace.logs())
    }

    fn start_frr(&mut self, options: &Options) -> Result<()> {
        let folder = self.namespace.folder.display().to_string();
        let config = frr_config(options);
        fs::write(self.namespace.folder.join("frr.conf"), config)?;
        // The daemons give up root and become this user.
        run(Command::new("chown").args(["-R", "frr:frr", &folder]))?;
        let mut daemons = vec!["zebra", "bgpd"];
        if options.bfd_interval.is_some() {
            daemons.insert(1, "bfdd");
        }
        for daemon in daemons {
            let program = format!("/usr/lib/frr/{daemon}");
            let pid = format!("{folder}/{daemon}.pid");
            let (config, zebra) = (format!("{folder}/frr.conf"), format!("{folder}/zserv.api"));
            let bfd_control = format!("{folder}/bfdd.sock");
            let mut arguments = vec![
                "--config_file",
                &config,
                "--pid_file",
                &pid,
                "--socket",
                &zebra,
                "--vty_socket",
                &folder,
                "--vty_port",
                "0",
                "--log",
                "stdout",
            ];
            if daemon == "bfdd" {
                arguments.extend(["--bfdctl", &bfd_control]);
            }
            self.namespace.start(daemon, &program, &arguments)?;
            if daemon == "zebra" {
                self.wait_for(&zebra)?;
            }
        }
        Ok(())
    }

    fn start_bird(&mut self, options: &Options) -> Result<()> {
        let folder = self.namespace.folder.display().to_string();
        let config = format!("{folder}/bird.conf");
        fs::write(&config, bird_config(options))?;
        let control = format!("{folder}/bird.ctl");
        let arguments = ["-f", "-c", &config, "-s", &control];
        self.namespace.start("bird", "bird", &arguments)
    }

    fn wait_for(&self, path: &str) -> Result<()> {
        let start = Clock::now();
        while start.elapsed() < START_MAX {
            if fs::exists(path)? {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("{path} does not appear\n{}", self.namespace.logs())
    }

    const fn is_alive(&self) -> &'static str {
        match self.software {
            Software::Frr => "show bgp summary",
            Software::Bird => "show status",
        }
    }

    /// Asks the peer's control socket.
    fn ask(&self, question: &str) -> Result<String> {
        let folder = self.namespace.folder.display().to_string();
        match self.software {
            Software::Frr => {
                let arguments = ["--vty_socket", &folder, "-c", question];
                self.namespace.run("vtysh", &arguments)
            }
            Software::Bird => {
                let control = format!("{folder}/bird.ctl");
                let mut arguments = vec!["-s", &control];
                arguments.extend(question.split(' '));
                self.namespace.run("birdc", &arguments)
            }
        }
    }

    /// Whether the peer shows `prefix` as learned from us and best.
    pub(crate) fn shows(&self, prefix: &str) -> Result<bool> {
        Ok(match self.software {
            Software::Frr => {
                let text = self.ask(&format!("show bgp ipv4 unicast {prefix}"))?;
                text.contains(&format!("from {OUR_ADDRESS}")) && text.contains("best")
            }
            Software::Bird => {
                let text = self.ask(&format!("show route all {prefix}"))?;
                text.contains(&format!("via {OUR_ADDRESS}"))
                    && text.contains(&format!("BGP.as_path: {OUR_ASN}"))
            }
        })
    }

    /// Whether the peer's kernel forwards `prefix` to us.
    pub(crate) fn forwards(&self, prefix: &str) -> Result<bool> {
        let routes = self.namespace.ip(&["route", "show", prefix])?;
        Ok(routes.contains(&format!("via {OUR_ADDRESS}")))
    }

    /// What the peer says of its BFD session.
    pub(crate) fn shows_bfd_up(&self) -> Result<bool> {
        Ok(match self.software {
            Software::Frr => self.ask("show bfd peers")?.contains("Status: up"),
            Software::Bird => {
                let text = self.ask("show bfd sessions")?;
                text.lines()
                    .any(|line| line.contains(OUR_ADDRESS) && line.contains("Up"))
            }
        })
    }

    /// Stops the peer's clock: its sockets stay, nothing is sent.
    pub(crate) fn freeze(&self) -> Result<()> {
        match self.software {
            Software::Frr => self.namespace.signal("bgpd", Signal::STOP),
            Software::Bird => self.namespace.signal("bird", Signal::STOP),
        }
    }

    /// As [`Peer::freeze`], for whatever speaks BFD.
    pub(crate) fn freeze_bfd(&self) -> Result<()> {
        match self.software {
            Software::Frr => self.namespace.signal("bfdd", Signal::STOP),
            Software::Bird => self.namespace.signal("bird", Signal::STOP),
        }
    }

    /// Starts the clock again after [`Peer::freeze`] or [`Peer::freeze_bfd`].
    pub(crate) fn thaw(&self) -> Result<()> {
        match self.software {
            Software::Frr => self.namespace.signal("bgpd", Signal::CONT),
            Software::Bird => self.namespace.signal("bird", Signal::CONT),
        }
    }

    /// As [`Peer::thaw`], for whatever speaks BFD.
    pub(crate) fn thaw_bfd(&self) -> Result<()> {
        match self.software {
            Software::Frr => self.namespace.signal("bfdd", Signal::CONT),
            Software::Bird => self.namespace.signal("bird", Signal::CONT),
        }
    }

    /// Stops or starts announcing the peer's prefix.
    pub(crate) fn announce(&self, is_announced: bool) -> Result<()> {
        match self.software {
            Software::Frr => {
                let folder = self.namespace.folder.display().to_string();
                let word = if is_announced { "" } else { "no " };
                let network = format!("{word}network {PEER_PREFIX}");
                let bgp = format!("router bgp {PEER_ASN}");
                let family = "address-family ipv4 unicast";
                let mut arguments = vec!["--vty_socket", folder.as_str()];
                for line in ["configure terminal", &bgp, family, &network] {
                    arguments.extend(["-c", line]);
                }
                self.namespace.run("vtysh", &arguments)?;
            }
            Software::Bird => {
                let word = if is_announced { "enable" } else { "disable" };
                self.ask(&format!("{word} static1"))?;
            }
        }
        Ok(())
    }

    /// Announces or withdraws all of [`Options::burst`] at once.
    pub(crate) fn release(&self, is_announced: bool) -> Result<()> {
        match self.software {
            Software::Frr => {
                let folder = self.namespace.folder.display().to_string();
                let word = if is_announced { "no " } else { "" };
                let bgp = format!("router bgp {PEER_ASN}");
                let family = "address-family ipv4 unicast";
                let filter = format!("{word}neighbor {OUR_ADDRESS} prefix-list SMALL out");
                let mut arguments = vec!["--vty_socket", folder.as_str()];
                for line in ["configure terminal", &bgp, family, &filter] {
                    arguments.extend(["-c", line]);
                }
                self.namespace.run("vtysh", &arguments)?;
            }
            Software::Bird => {
                let word = if is_announced { "enable" } else { "disable" };
                self.ask(&format!("{word} burst"))?;
            }
        }
        Ok(())
    }

    /// How often the peer's BFD session went down.
    pub(crate) fn bfd_failures(&self) -> Result<u32> {
        Ok(match self.software {
            Software::Frr => {
                let text = self.ask("show bfd peers counters")?;
                let count = text
                    .lines()
                    .find_map(|line| line.trim().strip_prefix("Session down events: "));
                count.context("FRR counts BFD failures")?.trim().parse()?
            }
            // BIRD has no such counter; its log has every change.
            Software::Bird => {
                let log = fs::read_to_string(self.namespace.folder.join("bird.log"))?;
                let down = |line: &&str| line.contains("bfd1") && line.contains("Up to Down");
                u32::try_from(log.lines().filter(down).count())?
            }
        })
    }

    /// Ends or allows the session as an operator does.
    pub(crate) fn administer(&self, is_up: bool) -> Result<()> {
        match self.software {
            Software::Frr => {
                let folder = self.namespace.folder.display().to_string();
                let word = if is_up { "no " } else { "" };
                let shutdown = format!("{word}neighbor {OUR_ADDRESS} shutdown");
                let bgp = format!("router bgp {PEER_ASN}");
                let mut arguments = vec!["--vty_socket", folder.as_str()];
                for line in ["configure terminal", &bgp, &shutdown] {
                    arguments.extend(["-c", line]);
                }
                self.namespace.run("vtysh", &arguments)?;
            }
            Software::Bird => {
                let word = if is_up { "enable" } else { "disable" };
                self.ask(&format!("{word} ours"))?;
            }
        }
        Ok(())
    }

    /// How many prefixes the peer has from us and uses.
    pub(crate) fn counts(&self) -> Result<usize> {
        Ok(match self.software {
            Software::Frr => {
                let text = self.ask("show bgp ipv4 unicast")?;
                let ours = |line: &&str| line.starts_with("*>") && line.contains(OUR_ADDRESS);
                text.lines().filter(ours).count()
            }
            Software::Bird => {
                let text = self.ask("show route protocol ours")?;
                text.lines().filter(|line| line.contains('*')).count()
            }
        })
    }

    /// The last lines of the daemons' logs, for a failure's report.
    pub(crate) fn logs(&self) -> String {
        self.namespace.logs()
    }

    /// A path for a file of this scenario.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.namespace.folder.join(name)
    }
}

/// `count` prefixes of 24 bits from 100.64.0.0/10 (RFC 6598 §7).
pub(crate) fn more_prefixes(count: u32) -> impl Iterator<Item = String> {
    (0..count.min(1 << 14)).map(|n| format!("100.{}.{}.0/24", 64 + n / 256, n % 256))
}

/// `count` prefixes of 24 bits from 20.0.0.0/8.
fn burst_prefixes(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("{}/24", Ipv4Addr::from((20 << 24) + (n << 8))))
}

fn frr_config(options: &Options) -> String {
    let neighbour = format!(" neighbor {OUR_ADDRESS}");
    let mut lines = vec![
        "frr defaults traditional".to_owned(),
        "log stdout".to_owned(),
        format!("router bgp {PEER_ASN}"),
        format!(" bgp router-id {PEER_ADDRESS}"),
        " no bgp ebgp-requires-policy".to_owned(),
        " no bgp network import-check".to_owned(),
        format!("{neighbour} remote-as {OUR_ASN}"),
        format!(
            "{neighbour} timers {} {}",
            options.hold_time_s / 3,
            options.hold_time_s
        ),
        format!("{neighbour} timers connect 2"),
    ];
    if options.passive {
        lines.push(format!("{neighbour} passive"));
    }
    if let Some(key) = options.key {
        lines.push(format!("{neighbour} password {key}"));
    }
    if options.bfd_interval.is_some() {
        lines.push(format!("{neighbour} bfd"));
    }
    lines.push(" address-family ipv4 unicast".to_owned());
    lines.push(format!("  network {PEER_PREFIX}"));
    for prefix in more_prefixes(options.more_prefixes) {
        lines.push(format!("  network {prefix}"));
    }
    for prefix in burst_prefixes(options.burst) {
        lines.push(format!("  network {prefix}"));
    }
    if options.burst > 0 {
        lines.push(format!(" {neighbour} prefix-list SMALL out"));
    }
    lines.push(" exit-address-family".to_owned());
    lines.push("exit".to_owned());
    lines.push(format!("ip prefix-list SMALL permit {PEER_PREFIX}"));
    if let Some(interval) = options.bfd_interval {
        let interval_ms = interval.as_millis();
        lines.extend([
            "bfd".to_owned(),
            format!(" peer {OUR_ADDRESS}"),
            format!("  receive-interval {interval_ms}"),
            format!("  transmit-interval {interval_ms}"),
            "  detect-multiplier 3".to_owned(),
            " exit".to_owned(),
            "exit".to_owned(),
        ]);
    }
    lines.join("\n") + "\n"
}

fn bird_config(options: &Options) -> String {
    let passive = if options.passive { "passive yes;" } else { "" };
    let password = options
        .key
        .map(|key| format!("password \"{key}\";"))
        .unwrap_or_default();
    let (bfd, bfd_protocol) = options
        .bfd_interval
        .map(|interval| {
            let interval_ms = interval.as_millis();
            (
                "bfd yes;".to_owned(),
                format!(
                    "protocol bfd {{ interface \"{INTERFACE}\" {{ min rx interval {interval_ms} ms; \
                     min tx interval {interval_ms} ms; multiplier 3; }}; }}"
                ),
            )
        })
        .unwrap_or_default();
    let more: String = more_prefixes(options.more_prefixes)
        .map(|prefix| format!("route {prefix} blackhole; "))
        .collect();
    let burst = if options.burst == 0 {
        String::new()
    } else {
        let routes: String = burst_prefixes(options.burst)
            .map(|prefix| format!("route {prefix} blackhole; "))
            .collect();
        format!("protocol static burst {{ disabled yes; ipv4; {routes}}}")
    };
    format!(
        "log stderr all;\n\
         router id {PEER_ADDRESS};\n\
         protocol device {{ }}\n\
         protocol direct {{ ipv4; interface \"{INTERFACE}\"; }}\n\
         protocol kernel {{ ipv4 {{ export filter {{ if source = RTS_BGP then accept; reject; }}; }}; }}\n\
         protocol static {{ ipv4; route {PEER_PREFIX} blackhole; {more}}}\n\
         {burst}\n\
         {bfd_protocol}\n\
         protocol bgp ours {{\n\
           local {PEER_ADDRESS} as {PEER_ASN};\n\
           neighbor {OUR_ADDRESS} as {OUR_ASN};\n\
           hold time {};\n\
           connect retry time 2; connect delay time 1; error wait time 1, 4;\n\
           {passive} {password} {bfd}\n\
           ipv4 {{ import all; export where source = RTS_STATIC; }};\n\
         }}\n",
        options.hold_time_s
    )
}

/// The version that a program prints, for the report.
pub(crate) fn version(software: Software) -> Result<String> {
    let (program, argument) = match software {
        Software::Frr => ("/usr/lib/frr/bgpd", "--version"),
        Software::Bird => ("bird", "--version"),
    };
    let output = Command::new(program)
        .arg(argument)
        .output()
        .with_context(|| format!("start {program}"))?;
    // BIRD prints it on its error stream.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
