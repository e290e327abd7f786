//! `skybridge capture` as Wireshark and tshark follow it: a stream of a running lab.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::lab::{Background, Lab, example};
use crate::scenarios::{nothing_malformed, tshark};

/// The primary path of the example, followed live by one tshark and written to a file for another.
pub(crate) fn live_capture(label: &str) -> Result<()> {
    const POINT: &str = "payments-oci/primary";
    let lab = Lab::up(label, &example())?;
    let file = lab.folder.join("primary.pcapng");
    let name = file.to_string_lossy().into_owned();
    let mut writing = lab.command(&["capture", POINT, "--write", &name]);
    let writing = Background(writing.stderr(Stdio::null()).spawn()?);
    let mut source = lab.command(&["capture", POINT, "--write", "-"]);
    let source = source.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut source = Background(source.spawn()?);
    let stream = source.0.stdout.take().context("a pipe was asked for")?;
    let mut reader = Command::new("tshark");
    reader
        .args(["-n", "-l", "-i", "-", "-T", "fields"])
        .args(["-e", "ieee8021ad.id", "-e", "vlan.id"])
        .args([
            "-e",
            "frame.packet_flags_direction",
            "-e",
            "frame.interface_name",
        ])
        .stdin(stream)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut reader = Background(reader.spawn()?);
    let lines = reader.0.stdout.take().context("a pipe was asked for")?;
    let mut lines = BufReader::new(lines).lines();
    lab.run(&["ping", "app-0", "db", "--count", "3"])?;
    // BFD alone keeps them coming; tshark prints them while the capture goes on.
    let mut seen = [false; 2];
    for _ in 0..30 {
        let line = lines.next().context("tshark ended")??;
        let fields: Vec<&str> = line.split('\t').collect();
        ensure!(fields[..2] == ["100", "100"], "not both tags: {line}");
        ensure!(
            fields[3].contains("washington-dc"),
            "no interface name: {line}"
        );
        let inbound = fields[2].trim_start_matches("0x").ends_with('1');
        seen[usize::from(inbound)] = true;
    }
    ensure!(seen == [true; 2], "only one direction was seen");
    source.interrupt()?;
    ensure!(lines.all(|line| line.is_ok()), "tshark's output broke");
    let status = reader.0.wait()?;
    ensure!(
        status.success(),
        "tshark found the stream damaged: {status}"
    );
    writing.interrupt()?;
    nothing_malformed(&file)?;
    let all = tshark(&file, &[])?.lines().count();
    let tagged = tshark(&file, &["-Y", "ieee8021ad.id == 100 && vlan.id == 100"])?;
    let tagged = tagged.lines().count();
    ensure!(
        all > 20 && tagged == all,
        "{tagged} of {all} frames carry the tags"
    );
    for (what, filter) in [("BFD", "bfd"), ("an echo reply", "icmp.type == 0")] {
        let found = tshark(&file, &["-Y", filter])?;
        ensure!(!found.is_empty(), "tshark sees no {what}");
    }
    Ok(())
}
