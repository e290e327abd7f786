//! Progress on standard error: a moving line on a terminal, plain lines elsewhere, nothing beside JSON
//! unless somebody watches.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use skybridge_lab::document::Progress;

use crate::screen;

/// How many names the moving line shows.
const NAMES_MAX: usize = 3;

/// Shows progress documents as they come.
#[derive(Debug)]
pub(crate) enum Reporter {
    /// A terminal.
    Moving {
        /// The moving line.
        bar: ProgressBar,
        /// What is under way: since when, and what happens.
        under_way: BTreeMap<String, (u64, String)>,
    },
    /// A file or pipe.
    Plain,
    /// Nobody.
    Silent,
}

impl Reporter {
    /// For standard error; beside a JSON document only a terminal gets progress.
    pub(crate) fn new(json: bool) -> Self {
        if io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(100));
            Self::Moving {
                bar,
                under_way: BTreeMap::new(),
            }
        } else if json {
            Self::Silent
        } else {
            Self::Plain
        }
    }

    /// Takes one document.
    pub(crate) fn show(&mut self, news: &Progress) {
        match self {
            Self::Silent => {}
            Self::Plain => screen::remark(&line(news, None)),
            Self::Moving { bar, under_way } => {
                if begins(&news.what) {
                    under_way.insert(news.subject.clone(), (news.at_ms, news.what.clone()));
                } else {
                    let since = under_way.remove(&news.subject).map(|(since, _)| since);
                    bar.println(line(news, since));
                }
                bar.set_message(message(under_way));
            }
        }
    }

    /// Removes the moving line.
    pub(crate) fn finish(self) {
        if let Self::Moving { bar, .. } = self {
            bar.finish_and_clear();
        }
    }
}

/// Whether something has begun that will be reported done later.
fn begins(what: &str) -> bool {
    what.ends_with("ing")
}

fn line(news: &Progress, since: Option<u64>) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "{:>4}.{:03}s {}: {}",
        news.at_ms / 1000,
        news.at_ms % 1000,
        news.subject,
        news.what
    );
    if let Some(since) = since {
        let took = news.at_ms.saturating_sub(since);
        write!(text, " after {took} ms").expect("writing to a String cannot fail");
    }
    if !news.detail.is_empty() {
        write!(text, " [{}]", news.detail).expect("writing to a String cannot fail");
    }
    text
}

fn message(under_way: &BTreeMap<String, (u64, String)>) -> String {
    let mut names: Vec<String> = under_way
        .iter()
        .take(NAMES_MAX)
        .map(|(subject, (_, what))| format!("{subject} ({what})"))
        .collect();
    let more = under_way.len().saturating_sub(NAMES_MAX);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(what: &str, detail: &str) -> Progress {
        Progress {
            at_ms: 1_234,
            subject: "azurerm_virtual_network.hub".to_owned(),
            what: what.to_owned(),
            detail: detail.to_owned(),
        }
    }

    #[test]
    fn a_line_says_when_what_and_how_long() {
        assert_eq!(
            line(&news("created", "10.1.0.0/16"), Some(1_100)),
            "   1.234s azurerm_virtual_network.hub: created after 134 ms [10.1.0.0/16]"
        );
        assert_eq!(
            line(&news("failed", ""), None),
            "   1.234s azurerm_virtual_network.hub: failed"
        );
    }

    #[test]
    fn the_moving_line_names_a_few_and_counts_the_rest() {
        let under_way = ["a", "b", "c", "d", "e"]
            .map(|name| (name.to_owned(), (0, "creating".to_owned())))
            .into();
        assert_eq!(
            message(&under_way),
            "a (creating), b (creating), c (creating), 2 more"
        );
    }
}
