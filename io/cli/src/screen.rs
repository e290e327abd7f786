//! What standard output is: how wide, and whether it shows colours.

use std::io::{self, IsTerminal, Write};

/// Tables are laid out for at least this many columns.
pub(crate) const WIDTH_MIN: usize = 80;
/// The width of what is no terminal, such as a pipe.
const WIDTH_PIPE: usize = 120;

/// A place to print to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Columns.
    pub(crate) width: usize,
    /// ANSI colours are welcome.
    pub(crate) colour: bool,
}

impl Screen {
    /// Standard output. Colours only on a terminal, and not when `NO_COLOR` is set (no-color.org).
    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let asked = std::env::var("COLUMNS")
            .ok()
            .and_then(|text| text.parse().ok());
        let real = rustix::termios::tcgetwinsize(&stdout)
            .ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0);
        let width = if terminal { real.or(asked) } else { asked };
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            width: width.unwrap_or(WIDTH_PIPE).max(WIDTH_MIN),
            colour: terminal && !plain,
        }
    }

    /// Paints a text.
    pub(crate) fn paint(&self, colour: Colour, text: &str) -> String {
        if self.colour {
            format!("\x1b[{}m{text}\x1b[0m", colour as u8)
        } else {
            text.to_owned()
        }
    }
}

/// ANSI codes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Colour {
    /// Headings.
    Bold = 1,
    /// Fails.
    Red = 31,
    /// Holds.
    Green = 32,
    /// Unknown.
    Yellow = 33,
}

/// Prints to standard output. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A remark for whoever watches, on standard error. Nobody watching is fine.
pub(crate) fn remark(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}
