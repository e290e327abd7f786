//! The examination of `diagnose`: random estates with one random thing broken, and what it says of them.
//!
//! Author and examiner differ: what is here knows how networks break and whom one would call, and nothing of
//! how the diagnosis finds out. It is told the two hosts and the port, as a person would tell it.
//!
//! | file | holds |
//! |---|---|
//! | `estate.rs` | a random estate, as Terraform and a lab file |
//! | `text.rs` | its text |
//! | `fault.rs` | what can be broken, and the truth about it |
//! | `driver.rs` | a lab in virtual time |
//! | `table.rs` | marks, and the confusion table |

mod driver;
mod estate;
mod fault;
mod table;
mod text;

use std::time::Duration;

use skybridge_base::Rng;
use skybridge_lab::document::{Condition, Diagnosis};

pub use fault::{FAULTS, Fault, Kind};
pub use table::{Marks, confusion, kinds};

use driver::Driver;
use estate::Estate;

/// Times between the fault and the question: before timers notice, and after.
const WAITS: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_secs(70),
    Duration::from_secs(200),
];
/// Long enough for every timer.
const SETTLED: Duration = Duration::from_secs(300);

/// What is examined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paper {
    /// One thing is broken.
    Fault,
    /// Nothing is.
    Healthy,
    /// Something redundant is, and everything has settled: traffic flows.
    Degraded,
}

/// One examination with its mark.
#[derive(Clone, Debug)]
pub struct Exam {
    /// The seed.
    pub seed: u64,
    /// What was examined.
    pub paper: Paper,
    /// What was broken; `None` in a healthy estate.
    pub fault: Option<Fault>,
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

/// Examines one seed.
#[must_use]
pub fn examine(seed: u64, paper: Paper) -> Exam {
    let mut rng = Rng::new(seed).child("exam");
    let fault = match paper {
        Paper::Fault => {
            let at = usize::try_from(seed).unwrap_or(0) % FAULTS.len();
            Some(Fault::choose(FAULTS[at], &mut rng))
        }
        Paper::Healthy => None,
        Paper::Degraded => Some(Fault::redundant(&mut rng)),
    };
    let mut estate = Estate::random(&mut rng);
    if let Some(fault) = &fault {
        fault.prepare(&mut estate);
    }
    let mut driver = Driver::new(seed);
    driver.up(&estate);
    driver.run_for(Duration::from_secs(10));
    if let Some(fault) = &fault {
        fault.inject(&mut driver, &estate);
    }
    let wait = match paper {
        Paper::Fault => *rng.choose(&WAITS).unwrap_or(&SETTLED),
        Paper::Healthy => Duration::from_secs(rng.below(60)),
        Paper::Degraded => SETTLED,
    };
    driver.run_for(wait);
    let (from, to) = estate.question();
    let diagnosis = driver.diagnose(&from, &to, estate.tcp);
    mark(seed, paper, fault, diagnosis)
}

fn mark(seed: u64, paper: Paper, fault: Option<Fault>, diagnosis: Diagnosis) -> Exam {
    let nothing = || ("healthy".to_owned(), "nobody".to_owned());
    let said = (diagnosis.findings.first())
        .map_or_else(nothing, |f| (f.layer.label().to_owned(), f.owner.clone()));
    let truth = fault.as_ref().map_or_else(nothing, Fault::truth);
    let condition = diagnosis.condition;
    let fits = match (paper, &fault) {
        (Paper::Healthy, _) | (_, None) => condition == Condition::Healthy,
        (Paper::Degraded, Some(_)) => condition == Condition::Degraded,
        (Paper::Fault, Some(fault)) if fault.is_total() => condition >= Condition::Impaired,
        (Paper::Fault, Some(_)) => condition >= Condition::Degraded,
    };
    Exam {
        seed,
        paper,
        is_right: fits && said == truth,
        fault,
        truth,
        said,
        condition,
        diagnosis,
    }
}
