//! The examination of `diagnose`: random estates with one random thing broken, and what it says of them.
//!
//! Author and examiner differ: what is here knows how networks break and whom one would call, and nothing of
//! how the diagnosis finds out. It is told the two hosts and the port, as a person would tell it.
//!
//! | file | holds |
//! |---|---|
//! | `estate.rs` | a random estate, as Terraform and a lab file |
//! | `premises.rs` | the same for a site behind a carrier |
//! | `own.rs` | the same with routers of the user's own, and what is wrong with those |
//! | `text.rs` | its text |
//! | `fault.rs` | what can be broken, and the truth about it |
//! | `driver.rs` | a lab in virtual time |
//! | `table.rs` | marks, and the confusion table |

mod driver;
mod estate;
mod fault;
mod own;
mod premises;
mod table;
mod text;

use std::time::Duration;

use skybridge_base::Rng;
use skybridge_lab::document::{Condition, Diagnosis};

pub use table::{Marks, confusion, kinds};

use driver::Driver;
use estate::Estate;
use fault::{FAULTS, Fault};
use own::OwnFault;
use premises::{Premises, SITE_FAULTS, SiteFault};

/// Times between the fault and the question: before timers notice, and after.
const WAITS: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_secs(70),
    Duration::from_secs(200),
];
/// Long enough for every timer.
const SETTLED: Duration = Duration::from_secs(300);

/// Nothing is wrong, and nobody is to be called.
const NOTHING: (&str, &str) = ("healthy", "nobody");

/// What is examined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paper {
    /// One thing is broken.
    Fault,
    /// Nothing is.
    Healthy,
    /// Something redundant is, and everything has settled: traffic flows.
    Degraded,
    /// One thing is broken, or nothing, towards a site whose routers are the user's own.
    Attached,
}

/// One examination with its mark.
#[derive(Clone, Debug)]
pub struct Exam {
    /// The seed.
    pub seed: u64,
    /// What was examined.
    pub paper: Paper,
    /// The kind of fault; empty in a healthy estate.
    pub kind: String,
    /// Its particulars.
    pub particulars: String,
    /// The true layer and owner, `healthy` and nobody without a fault.
    pub truth: (String, String),
    /// What the diagnosis said.
    pub said: (String, String),
    /// Its condition.
    pub condition: Condition,
    /// Layer, owner and condition are right.
    pub is_right: bool,
    /// Everything it said.
    pub diagnosis: Diagnosis,
}

/// An estate with its fault.
enum Sheet {
    Interconnect(Estate, Option<Fault>),
    Site(Premises, Option<SiteFault>),
    Attached(Premises, Option<OwnFault>),
}

/// Kinds of faults: so many seeds in a row have each of them once.
#[must_use]
pub const fn kinds_count() -> usize {
    FAULTS.len() + SITE_FAULTS.len()
}

impl Sheet {
    fn draw(seed: u64, paper: Paper, rng: &mut Rng) -> Self {
        let at = usize::try_from(seed).unwrap_or(0) % kinds_count();
        let of_site = at.checked_sub(FAULTS.len());
        match (paper, of_site) {
            (Paper::Fault, None) => {
                Self::Interconnect(Estate::random(rng), Some(Fault::choose(FAULTS[at], rng)))
            }
            (Paper::Fault, Some(at)) => Self::Site(
                Premises::random(rng),
                Some(SiteFault::choose(SITE_FAULTS[at], rng)),
            ),
            (Paper::Healthy, None) => Self::Interconnect(Estate::random(rng), None),
            (Paper::Healthy, Some(_)) => Self::Site(Premises::random(rng), None),
            (Paper::Attached, _) => {
                let number = usize::try_from(seed).unwrap_or(0);
                Self::Attached(Premises::attached(rng), OwnFault::choose(number, rng))
            }
            (Paper::Degraded, None) => {
                Self::Interconnect(Estate::random(rng), Some(Fault::redundant(rng)))
            }
            (Paper::Degraded, Some(_)) => {
                Self::Site(Premises::random(rng), Some(SiteFault::redundant(rng)))
            }
        }
    }

    /// Brings the estate up and breaks it; who asks, for whom, on which port.
    fn set(&mut self, driver: &mut Driver) -> (String, String, Option<u16>) {
        let settle = Duration::from_secs(10);
        match self {
            Self::Interconnect(estate, fault) => {
                if let Some(fault) = fault {
                    fault.prepare(estate);
                }
                driver.up(estate.files());
                driver.run_for(settle);
                if let Some(fault) = fault {
                    fault.inject(driver, estate);
                }
                let (from, to) = estate.question();
                (from, to, estate.tcp)
            }
            Self::Site(site, fault) => {
                if let Some(fault) = fault {
                    site.prepare(fault);
                }
                driver.up(site.files());
                driver.run_for(settle);
                if let Some(fault) = fault {
                    fault.inject(driver, site);
                }
                let (from, to) = site.question();
                (from, to, site.tcp)
            }
            Self::Attached(site, fault) => {
                driver.up(site.files());
                // Nobody waits for sessions of routers that are not the lab's.
                driver.run_for(SETTLED);
                if let Some(fault) = fault {
                    fault.inject(driver, site);
                }
                let (from, to) = site.question();
                (from, to, site.tcp)
            }
        }
    }

    /// Nothing is broken.
    fn is_whole(&self) -> bool {
        self.truth().is_none()
    }

    /// Kind, particulars, truth, and whether nothing that is asked about can be answered.
    fn truth(&self) -> Option<(String, String, (&'static str, &'static str), bool)> {
        match self {
            Self::Interconnect(_, fault) => fault.as_ref().map(|f| {
                (
                    format!("{:?}", f.kind),
                    format!("{f:?}"),
                    f.truth(),
                    f.is_total(),
                )
            }),
            Self::Site(_, fault) => fault.as_ref().map(|f| {
                (
                    format!("{:?}", f.kind),
                    format!("{f:?}"),
                    f.truth(),
                    f.is_total(),
                )
            }),
            Self::Attached(_, fault) => {
                (fault.as_ref()).map(|f| (f.kind(), format!("{f:?}"), f.truth(), f.is_total()))
            }
        }
    }
}

/// Examines one seed.
#[must_use]
pub fn examine(seed: u64, paper: Paper) -> Exam {
    let mut rng = Rng::new(seed).child("exam");
    let mut sheet = Sheet::draw(seed, paper, &mut rng);
    let mut driver = Driver::new(seed);
    let (from, to, tcp) = sheet.set(&mut driver);
    driver.run_for(match paper {
        Paper::Fault | Paper::Attached => *rng.choose(&WAITS).unwrap_or(&SETTLED),
        Paper::Healthy => Duration::from_secs(rng.below(60)),
        Paper::Degraded => SETTLED,
    });
    mark(seed, paper, &sheet, driver.diagnose(&from, &to, tcp))
}

fn mark(seed: u64, paper: Paper, sheet: &Sheet, diagnosis: Diagnosis) -> Exam {
    let pair = |(layer, owner): (&str, &str)| (layer.to_owned(), owner.to_owned());
    let said = (diagnosis.findings.first())
        .map_or_else(|| pair(NOTHING), |f| pair((f.layer.label(), &f.owner)));
    let (kind, particulars, truth, is_total) =
        sheet
            .truth()
            .unwrap_or((String::new(), String::new(), NOTHING, false));
    let truth = pair(truth);
    let condition = diagnosis.condition;
    let fits = match paper {
        Paper::Healthy => condition == Condition::Healthy,
        Paper::Attached if sheet.is_whole() => condition == Condition::Healthy,
        Paper::Degraded => condition == Condition::Degraded,
        Paper::Fault | Paper::Attached if is_total => condition >= Condition::Impaired,
        Paper::Fault | Paper::Attached => condition >= Condition::Degraded,
    };
    Exam {
        seed,
        paper,
        kind,
        particulars,
        is_right: fits && said == truth,
        truth,
        said,
        condition,
        diagnosis,
    }
}
