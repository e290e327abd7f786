//! FRR and BIRD as customer edges of a site, each behind a path of a carrier, as their users run them: own
//! network namespaces, configured by what `skybridge show ce-config` prints.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant as Clock};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::attach::{Attach, Cable, INTERFACE};
use crate::lab::Lab;
use crate::namespace::{Namespace, run};
use crate::tag_shim::{SubInterface, TagShim};

/// The site of the example, and an address in it that both edges answer for.
const SITE: &str = "hq";
pub(crate) const SITE_ADDRESS: &str = "192.168.0.1";
/// The session of BIRD's configuration.
const BIRD_SESSION: &str = "azure_secondary";
/// Sessions must be up within this after an operator has reset them.
const UP_MAX: Duration = Duration::from_secs(40);
/// An operator asks again after this: the connect timers of both sides are minutes, and BIRD waits five
/// seconds before its first attempt.
const KICK: Duration = Duration::from_secs(9);
/// A fault must show on both sides within this; BFD takes 0.9 s.
const SHOWS_MAX: Duration = Duration::from_secs(12);

/// A little loss does not show in every few seconds: so often it is asked for.
const LOSS_ASKED_MAX: u32 = 12;
/// The two paths, and the MSEEs at their ends.
const PATHS: [(&str, &str); 2] = [("primary", "msee-1"), ("secondary", "msee-2")];

/// What a fault of the carrier does to a session.
pub(crate) struct Fault {
    /// As `provider set` takes it.
    name: &'static str,
    /// The layer that is broken (docs/diagnose.md). What the carrier does with frames is always its own.
    layer: &'static str,
    outcome: Outcome,
}

enum Outcome {
    /// BFD ends it. What the MSEE says of it, and the state that BFD of the edges stays in: Init when they
    /// still hear the MSEE (RFC 5880 §6.2), else Down.
    Fails {
        msee: &'static str,
        edges: &'static str,
    },
    /// It stays up, and so do small packets; a full packet is lost for this reason.
    Carries { full_packet: Option<&'static str> },
}

const EXPIRED: &str = "control detection time expired";
const SIGNALLED: &str = "neighbor signaled session down";

/// Every fault that can be switched on.
const FAULTS: [Fault; 8] = [
    // Towards the cloud the customer's tag is missing; towards an access port there is none to strip.
    Fault::fails("strip-tag", "tags", EXPIRED, "Init"),
    Fault::fails("wrong-s-tag", "tags", EXPIRED, "Down"),
    Fault::fails("wrong-c-tag", "tags", EXPIRED, "Down"),
    Fault::carries("mtu=1000", "mtu", Some("too big at metro")),
    Fault::carries("loss=1", "loss", None),
    Fault::fails("silent", "link", EXPIRED, "Down"),
    Fault::fails("one-way=customer", "link", SIGNALLED, "Down"),
    Fault::fails("one-way=cloud", "link", EXPIRED, "Init"),
];

impl Fault {
    pub(crate) const fn fails(
        name: &'static str,
        layer: &'static str,
        msee: &'static str,
        edges: &'static str,
    ) -> Self {
        Self {
            name,
            layer,
            outcome: Outcome::Fails { msee, edges },
        }
    }

    const fn carries(
        name: &'static str,
        layer: &'static str,
        full_packet: Option<&'static str>,
    ) -> Self {
        Self {
            name,
            layer,
            outcome: Outcome::Carries { full_packet },
        }
    }

    /// What becomes of the traffic when it is on one path, and when it is on both.
    const fn conditions(&self) -> [&'static [&'static str]; 2] {
        match self.outcome {
            Outcome::Fails { .. } => [&["degraded"], &["failed"]],
            // Which packets take which path, and which of them are lost, is chance.
            Outcome::Carries { full_packet: None } => [&["degraded", "impaired"]; 2],
            Outcome::Carries { .. } => [&["degraded", "impaired"], &["impaired"]],
        }
    }
}

/// The lab and its two customer edges.
pub(crate) struct Edges {
    // Dropped first: the lab and the shims leave the namespaces before they go.
    pub(crate) lab: Lab,
    shims: Vec<(SubInterface, TagShim)>,
    pub(crate) cables: Vec<Cable>,
    frr: Namespace,
    bird: Namespace,
}

/// Both sessions come up through the carrier's tags with MD5 and BFD, fail under every fault as they fail
/// in reality, and come back; `diagnose` names layer and owner meanwhile, and says nothing when all is well.
pub(crate) fn carrier_faults(label: &str) -> Result<()> {
    let mut edges = Edges::create(label, [Attach::Namespace; 2], "")?;
    edges.start_frr()?;
    edges.start_bird()?;
    edges.recover().context("at first")?;
    edges.is_healthy().context("at first")?;
    for (number, fault) in FAULTS.iter().enumerate() {
        let first = PATHS[number % PATHS.len()];
        let suffered = edges.one_path(fault, first);
        let suffered = suffered.and_then(|()| edges.suffer(fault));
        suffered.with_context(|| edges.state(fault))?;
    }
    edges.own_faults()?;
    edges.is_healthy().context("in the end")
}

impl Edges {
    /// FRR and BIRD on ports of these kinds, with more arguments for both routers.
    pub(crate) fn create(label: &str, ports: [Attach; 2], more: &str) -> Result<Self> {
        let frr = Namespace::create(&format!("{label}1"))?;
        let bird = Namespace::create(&format!("{label}2"))?;
        let directory = frr.folder.join("site");
        fs::create_dir_all(&directory)?;
        for entry in fs::read_dir(site_to_azure())? {
            let path = entry?.path();
            let name = path.file_name().context("a file has a name")?;
            fs::copy(&path, directory.join(name))?;
        }
        let lab_file = directory.join("lab.sky.hcl");
        let mut text = fs::read_to_string(&lab_file)?;
        let mut cables = Vec::new();
        let attached = [(ports[0], &frr), (ports[1], &bird)];
        for (path, (port, namespace)) in ["primary", "secondary"].iter().zip(attached) {
            let own = format!("path    = \"{path}\"\n");
            ensure!(
                text.contains(&own),
                "the example has no router on its {path} path"
            );
            let (device, cable) = port.prepare(namespace)?;
            cables.extend(cable);
            let more = format!("{own}    attach  = \"{device}\"\n    {more}\n");
            text = text.replacen(&own, &more, 1);
        }
        fs::write(&lab_file, text)?;
        // Its expectations cannot hold before the edges run.
        let lab = Lab::up_unproved(label, &directory)?;
        for (port, namespace) in attached {
            port.hand_over(namespace)?;
            let address = format!("{SITE_ADDRESS}/32");
            namespace.ip(&["addr", "add", &address, "dev", "lo"])?;
            namespace.ip(&["link", "set", INTERFACE, "up"])?;
        }
        let shims = Vec::new();
        Ok(Self {
            lab,
            shims,
            cables,
            frr,
            bird,
        })
    }

    /// What the lab prints for a router, word for word.
    fn configuration(&self, router: &str, format: &str) -> Result<String> {
        let document = self.json(&[
            "show",
            "ce-config",
            SITE,
            router,
            "--format",
            format,
            "--show-secrets",
        ])?;
        let text = document["configs"][0]["text"].as_str();
        Ok(text.context("one configuration")?.to_owned())
    }

    /// Does what a configuration says is to be done first for its tagged sub-interfaces, if it has any.
    fn make_sub_interfaces(&mut self, namespace: &str, text: &str) -> Result<()> {
        for wanted in text.lines().filter_map(SubInterface::read) {
            let shim = TagShim::create(namespace, &wanted)?;
            run(Command::new("ip").args(["-n", namespace, "link", "set", &wanted.name, "up"]))?;
            self.shims.push((wanted, shim));
        }
        Ok(())
    }

    /// The names of the tagged sub-interfaces.
    pub(crate) fn sub_interfaces(&self) -> Vec<&str> {
        let shims = self.shims.iter();
        shims.map(|(wanted, _)| wanted.name.as_str()).collect()
    }

    /// FRR is told its configuration by `vtysh -f`, as its start-up script does.
    pub(crate) fn start_frr(&mut self) -> Result<()> {
        let config = self.frr.folder.join("frr.conf");
        let text = self.configuration("ce1", "frr")?;
        self.make_sub_interfaces(&self.frr.name.clone(), &text)?;
        fs::write(&config, text)?;
        let folder = self.frr.folder.display().to_string();
        run(Command::new("chown").args(["-R", "frr:frr", &folder]))?;
        let zebra = format!("{folder}/zserv.api");
        let bfd_control = format!("{folder}/bfdd.sock");
        for daemon in ["zebra", "staticd", "bfdd", "bgpd"] {
            let program = format!("/usr/lib/frr/{daemon}");
            let pid = format!("{folder}/{daemon}.pid");
            let mut arguments = vec!["--config_file", "/dev/null", "--pid_file", &pid];
            arguments.extend(["--socket", &zebra, "--vty_socket", &folder]);
            arguments.extend(["--vty_port", "0", "--log", "stdout"]);
            if daemon == "bfdd" {
                arguments.extend(["--bfdctl", &bfd_control]);
            }
            self.frr.start(daemon, &program, &arguments)?;
            let socket = self.frr.folder.join(format!("{daemon}.vty"));
            until(UP_MAX, || Ok(socket.exists())).with_context(|| self.frr.logs())?;
        }
        let config = config.display().to_string();
        self.frr
            .run("vtysh", &["--vty_socket", &folder, "-f", &config])?;
        Ok(())
    }

    /// BIRD gives no addresses: the commands for that stand in its configuration's comments.
    pub(crate) fn start_bird(&mut self) -> Result<()> {
        let text = self.configuration("ce2", "bird")?;
        self.make_sub_interfaces(&self.bird.name.clone(), &text)?;
        for line in text.lines() {
            if SubInterface::read(line).is_some() {
                continue;
            }
            if let Some(command) = line.strip_prefix("#   ip ") {
                let words: Vec<&str> = command.split_whitespace().collect();
                self.bird.ip(&words)?;
            }
        }
        let config = self.bird.folder.join("bird.conf");
        fs::write(&config, text)?;
        let control = self.bird.folder.join("bird.ctl");
        let (config, control) = (config.display().to_string(), control.display().to_string());
        let arguments = ["-f", "-c", &config, "-s", &control];
        self.bird.start("bird", "bird", &arguments)?;
        until(UP_MAX, || Ok(self.birdc(&["show", "status"]).is_ok()))
            .with_context(|| self.bird.logs())
    }

    /// A fault on one path: the other still carries everything, and the diagnosis tells.
    fn one_path(&self, fault: &Fault, (path, msee): (&str, &str)) -> Result<()> {
        self.provider(&format!("{SITE}/{path}"), fault.name)?;
        if matches!(fault.outcome, Outcome::Fails { .. }) {
            let is_down = || {
                let bgp = self.json(&["show", "bgp"])?;
                let rows = bgp["rows"].as_array().context("rows")?;
                let is_here = |row: &&Value| {
                    let local = row["local"].as_str();
                    local.is_some_and(|local| local.starts_with(msee))
                };
                let here = rows.iter().find(is_here).context("its row")?;
                Ok(here["state"] != "Established")
            };
            until(SHOWS_MAX, is_down).with_context(|| format!("{path} does not fail"))?;
        }
        self.is_named(fault, &[path])
            .with_context(|| format!("on {path} alone"))
    }

    /// One fault on both paths, what both sides say, and the way back.
    pub(crate) fn suffer(&self, fault: &Fault) -> Result<()> {
        self.provider(SITE, fault.name)?;
        let began = Clock::now();
        match &fault.outcome {
            Outcome::Fails { msee, edges } => {
                let shown = until(SHOWS_MAX, || self.has_failed(msee, edges));
                shown.with_context(|| format!("it does not fail as {msee} and {edges}"))?;
                let took = began.elapsed().as_millis();
                println!(
                    "    {}: down on all four sides within {took} ms",
                    fault.name
                );
                ensure!(!self.reaches(56)?, "packets still cross");
            }
            Outcome::Carries { full_packet } => {
                // Longer than three detection times.
                thread::sleep(Duration::from_secs(3));
                ensure!(self.is_up()?, "a session went down");
                ensure!(self.reaches(56)?, "small packets do not cross");
                let full = self.ping(1472)?;
                match full_packet {
                    Some(why) => ensure!(full.contains(why), "a full packet: {full}"),
                    None => ensure!(self.reaches(1472)?, "full packets do not cross"),
                }
                println!("    {}: sessions stay up", fault.name);
            }
        }
        self.is_named(fault, &PATHS.map(|(path, _)| path))
            .context("on both paths")?;
        self.provider(SITE, "ok")?;
        self.recover().context("after it was mended")
    }

    /// What everybody says under a fault, for a failure's report.
    pub(crate) fn state(&self, fault: &Fault) -> String {
        let ours = |table| self.lab.run(&["show", table]).unwrap_or_default();
        let (bfd, bgp) = (ours("bfd"), ours("bgp"));
        let frr = self.vtysh("show bfd peers").unwrap_or_default();
        let bird = self.birdc(&["show", "bfd", "sessions"]).unwrap_or_default();
        let logs = self.bird.logs();
        format!("under {}\n{bfd}{bgp}{frr}{bird}{logs}", fault.name)
    }

    fn provider(&self, paths: &str, fault: &str) -> Result<()> {
        let setting = format!("fault={fault}");
        self.lab.run(&["provider", "set", paths, &setting])?;
        Ok(())
    }

    /// The diagnosis of the way to the site, which must agree with its exit status.
    fn diagnose(&self) -> Result<Value> {
        let arguments = ["diagnose", "app", SITE_ADDRESS, "--output", "json"];
        let output = self.lab.command(&arguments).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let found: Value = serde_json::from_str(&text).with_context(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            format!("{text}{said}")
        })?;
        let wanted = i32::from(found["condition"] != "healthy");
        ensure!(output.status.code() == Some(wanted), "{}", output.status);
        Ok(found)
    }

    /// No alarm.
    fn is_healthy(&self) -> Result<()> {
        let found = self.diagnose()?;
        let has_none = found["findings"].as_array().is_some_and(Vec::is_empty);
        ensure!(
            found["condition"] == "healthy" && has_none,
            "a false alarm: {found:#}"
        );
        Ok(())
    }

    /// The diagnosis finds the fault's layer, on these paths and on no other, and nothing else.
    fn is_named(&self, fault: &Fault, paths: &[&str]) -> Result<()> {
        let mut found = self.diagnose()?;
        let mut asked = 1;
        while fault.layer == "loss" && found["condition"] == "healthy" && asked < LOSS_ASKED_MAX {
            found = self.diagnose()?;
            asked += 1;
        }
        has_found(&found, fault.layer, "provider")?;
        let marks = found["layers"].as_array().context("layers")?;
        let row = marks.iter().find(|row| row["layer"] == fault.layer);
        let legs = row.and_then(|row| row["legs"].as_array()).context("legs")?;
        for (path, _) in PATHS {
            let is_broken = legs.iter().any(|leg| {
                let of_path = leg["leg"].as_str().is_some_and(|leg| leg.ends_with(path));
                of_path && leg["mark"] == "broken"
            });
            // What is lost seldom may be seen on one of two paths only.
            let is_due = paths.contains(&path);
            ensure!(
                is_broken == is_due || (is_due && fault.layer == "loss"),
                "{path}: {found:#}"
            );
        }
        let condition = found["condition"].as_str().unwrap_or_default();
        let due = fault.conditions()[paths.len() - 1];
        ensure!(due.contains(&condition), "{condition}: {found:#}");
        println!(
            "    {}: {condition}, {} of the provider",
            fault.name, fault.layer
        );
        Ok(())
    }

    /// What the operators of the edges do wrong is theirs, and what is behind them is judged by what came
    /// back.
    fn own_faults(&self) -> Result<()> {
        let asn = self.json(&["show", "bgp"])?["rows"][0]["asn"][1].clone();
        let neighbour = "172.30.255.2";
        let order = |order: &str| {
            let folder = self.frr.folder.display().to_string();
            let router = format!("router bgp {asn}");
            let words = [
                "--vty_socket",
                &folder,
                "-c",
                "configure",
                "-c",
                &router,
                "-c",
                order,
            ];
            self.frr.run("vtysh", &words)
        };
        order(&format!("neighbor {neighbour} shutdown"))?;
        until(SHOWS_MAX, || {
            Ok(!self.vtysh("show ip route bgp")?.contains("B>*"))
        })?;
        let found = self.diagnose()?;
        has_found(&found, "bgp", "you").context("FRR has shut its session")?;
        ensure!(found["condition"] == "degraded", "{found:#}");
        order(&format!("no neighbor {neighbour} shutdown"))?;
        self.recover()
            .context("after FRR has enabled its session")?;
        let address = format!("{SITE_ADDRESS}/32");
        for namespace in [&self.frr, &self.bird] {
            namespace.ip(&["addr", "del", &address, "dev", "lo"])?;
        }
        let found = self.diagnose()?;
        has_found(&found, "host", "you").context("nobody has the address")?;
        ensure!(found["condition"] == "failed", "{found:#}");
        for namespace in [&self.frr, &self.bird] {
            namespace.ip(&["addr", "add", &address, "dev", "lo"])?;
        }
        println!("    a session shut by FRR, an address that nobody has: named as the site's");
        Ok(())
    }

    /// The operators of both edges reset their sessions until everything is up and packets cross.
    pub(crate) fn recover(&self) -> Result<()> {
        let began = Clock::now();
        let mut wait = Duration::ZERO;
        while began.elapsed() < UP_MAX {
            if until(std::mem::replace(&mut wait, KICK), || {
                Ok(self.is_up()? && self.reaches(1472)?)
            })
            .is_ok()
            {
                return Ok(());
            }
            if !self.vtysh("show ip route bgp")?.contains("B>*") {
                self.vtysh("clear bgp *")?;
            }
            if !self.birdc(&["show", "protocols"])?.contains("Established") {
                self.birdc(&["restart", BIRD_SESSION])?;
            }
        }
        let bgp = self.lab.run(&["show", "bgp"])?;
        bail!(
            "the sessions do not come up\n{bgp}{}{}",
            self.frr.logs(),
            self.bird.logs()
        )
    }

    /// Whether session and BFD are up on all four ends, and the site's network has arrived on both paths.
    fn is_up(&self) -> Result<bool> {
        let bgp = self.json(&["show", "bgp"])?;
        let rows = bgp["rows"].as_array().context("rows")?;
        let is_good = |row: &Value| {
            row["state"] == "Established" && row["bfd"] == "up" && row["prefixes_received"] == 1
        };
        Ok(rows.len() == 2
            && rows.iter().all(is_good)
            && self.vtysh("show bfd peers")?.contains("Status: up")
            && self.vtysh("show ip route bgp")?.contains("B>*")
            && self.birdc(&["show", "protocols"])?.contains("Established")
            && self.bird_bfd()? == "Up")
    }

    fn has_failed(&self, msee: &str, edges: &str) -> Result<bool> {
        let bfd = self.json(&["show", "bfd"])?;
        let bgp = self.json(&["show", "bgp"])?;
        // An edge that is still heard ends its session itself, and its Cease may come before its BFD says so.
        let resets = |reason: &Value| {
            let is_cease = |text: &str| text.starts_with("notification received: Cease");
            *reason == "BFD down" || (msee == SIGNALLED && reason.as_str().is_some_and(is_cease))
        };
        let mut bfd = bfd["rows"].as_array().context("rows")?.iter();
        let mut bgp = bgp["rows"].as_array().context("rows")?.iter();
        let frr = self.vtysh("show bfd peers")?.to_lowercase();
        Ok(
            bfd.all(|row| row["state"] == "down" && row["diagnostic"] == msee)
                && bgp.all(|row| row["state"] != "Established" && resets(&row["last_reset"]))
                && frr.contains(&format!("status: {}", edges.to_lowercase()))
                && !self.vtysh("show ip route bgp")?.contains("B>*")
                && !self.birdc(&["show", "protocols"])?.contains("Established")
                && self.bird_bfd()? == edges,
        )
    }

    /// The state of BIRD's BFD session.
    fn bird_bfd(&self) -> Result<String> {
        let text = self.birdc(&["show", "bfd", "sessions"])?;
        let row = text.lines().find(|line| line.contains(INTERFACE));
        let state = row.and_then(|row| row.split_whitespace().nth(2));
        Ok(state.unwrap_or_default().to_owned())
    }

    /// What came of an echo request from the cloud's host to the site.
    fn ping(&self, size: u16) -> Result<String> {
        let size = size.to_string();
        let mut command = self
            .lab
            .command(&["ping", "app", SITE_ADDRESS, "--count", "1"]);
        let output = command.args(["--size", &size, "--df"]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Whether one of a few gets an answer: a path may lose some.
    fn reaches(&self, size: u16) -> Result<bool> {
        for _ in 0..3 {
            if self.ping(size)?.contains("1 received") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.lab.run(&[arguments, &["--output", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| text)
    }

    fn vtysh(&self, line: &str) -> Result<String> {
        let folder = self.frr.folder.display().to_string();
        self.frr
            .run("vtysh", &["--vty_socket", &folder, "-c", line])
    }

    pub(crate) fn birdc(&self, words: &[&str]) -> Result<String> {
        let control = self.bird.folder.join("bird.ctl").display().to_string();
        self.bird
            .run("birdc", &[&["-s", control.as_str()], words].concat())
    }
}

/// Every finding is of this layer and owner, and there is one.
fn has_found(diagnosis: &Value, layer: &str, owner: &str) -> Result<()> {
    let findings = diagnosis["findings"].as_array().context("findings")?;
    let is_due = |finding: &Value| finding["layer"] == layer && finding["owner"] == owner;
    ensure!(
        !findings.is_empty() && findings.iter().all(is_due),
        "{layer} of {owner} is due: {diagnosis:#}"
    );
    Ok(())
}

/// Asks until `holds`, at most as long.
pub(crate) fn until(most: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Clock::now();
    while !holds()? {
        ensure!(began.elapsed() < most, "not within {most:?}");
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn site_to_azure() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/site-to-azure")
}
