//! `clean`: what killed labs have left goes.

use serde::Serialize;

use super::{Failure, Window};
use crate::{exit, screen};

#[derive(Serialize)]
struct Document {
    removed: Vec<String>,
    ended: Vec<Program>,
    left: Vec<Program>,
}

#[derive(Serialize)]
struct Program {
    pid: u32,
    command: String,
}

/// Cleans, and says what went.
pub(super) fn clean(window: &Window) -> Result<u8, Failure> {
    let io = |what| move |source| Failure::Io { what, source };
    let cleaned = skybridge_live::clean().map_err(io("cannot look for what labs have left"))?;
    let programs = |programs: Vec<(u32, String)>| {
        let programs = programs.into_iter();
        programs
            .map(|(pid, command)| Program { pid, command })
            .collect()
    };
    let files = cleaned.files.iter().map(|file| file.display().to_string());
    let document = Document {
        removed: files.collect(),
        ended: programs(cleaned.programs),
        left: programs(cleaned.left),
    };
    let text = if window.json {
        let text = serde_json::to_string_pretty(&document);
        text.map_err(std::io::Error::from)
            .map_err(io("cannot print"))?
            + "\n"
    } else {
        words(&document)
    };
    screen::print(&text).map_err(io("cannot print"))?;
    Ok(if document.left.is_empty() {
        exit::HOLDS
    } else {
        exit::FAILS
    })
}

fn words(document: &Document) -> String {
    let removed = document
        .removed
        .iter()
        .map(|file| format!("removed {file}\n"));
    let programs = |what: &'static str, programs: &[Program]| {
        let programs = programs.iter();
        let lines = programs.map(|p| format!("{what} process {}: {}\n", p.pid, p.command));
        lines.collect::<String>()
    };
    let text = removed.collect::<String>()
        + &programs("ended", &document.ended)
        + &programs("cannot end", &document.left);
    if text.is_empty() {
        "nothing was left behind\n".to_owned()
    } else {
        text
    }
}
