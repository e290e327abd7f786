//! Which scenarios there are, and their reports.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant as Clock;

use anyhow::Result;

use crate::burst::burst;
use crate::edges::carrier_faults;
use crate::kernel::{kernel, kernel_of_ordinary_user, role};
use crate::live_capture::live_capture;
use crate::namespace::sweep;
use crate::own_routers::own_routers;
use crate::peers::{Software, version};
use crate::ports::{stalled_device, trunk, users_devices};
use crate::postgres::{postgres, postgres_in_namespace};
use crate::scenarios::{
    Opens, bfd, hold_time, many_prefixes, operator, our_silence, routes_both_ways, same_key,
    wrong_key,
};
use crate::tagged::tagged_link;

/// Scenarios that run together. They mostly wait, but their timers must be served.
const TOGETHER: usize = 3;

type Scenario = (&'static str, fn(&str) -> Result<()>);

/// Scenarios that have the machine for themselves, since they tell what our side can keep up with.
const ALONE: &[Scenario] = &[
    ("frr-burst", |l| burst(Software::Frr, l)),
    ("bird-burst", |l| burst(Software::Bird, l)),
];

/// Every other scenario. Names are short: they become names of namespaces.
const SCENARIOS: &[Scenario] = &[
    // The longest first.
    ("carrier", carrier_faults),
    ("own-routers", own_routers),
    ("trunk", trunk),
    ("devices", users_devices),
    ("stalled", stalled_device),
    ("frr-we-open", |l| {
        routes_both_ways(Software::Frr, l, Opens::Us)
    }),
    ("frr-they-open", |l| {
        routes_both_ways(Software::Frr, l, Opens::Them)
    }),
    ("frr-both-open", |l| {
        routes_both_ways(Software::Frr, l, Opens::Both)
    }),
    ("bird-we-open", |l| {
        routes_both_ways(Software::Bird, l, Opens::Us)
    }),
    ("bird-they-open", |l| {
        routes_both_ways(Software::Bird, l, Opens::Them)
    }),
    ("bird-both-open", |l| {
        routes_both_ways(Software::Bird, l, Opens::Both)
    }),
    ("frr-md5", |l| same_key(Software::Frr, l)),
    ("bird-md5", |l| same_key(Software::Bird, l)),
    ("frr-md5-wrong", |l| {
        wrong_key(Software::Frr, l, Some("another-key"))
    }),
    ("bird-md5-wrong", |l| {
        wrong_key(Software::Bird, l, Some("another-key"))
    }),
    ("frr-md5-none", |l| wrong_key(Software::Frr, l, None)),
    ("frr-bfd", |l| bfd(Software::Frr, l)),
    ("bird-bfd", |l| bfd(Software::Bird, l)),
    ("frr-hold", |l| hold_time(Software::Frr, l)),
    ("bird-hold", |l| hold_time(Software::Bird, l)),
    ("frr-silence", |l| our_silence(Software::Frr, l)),
    ("bird-silence", |l| our_silence(Software::Bird, l)),
    ("frr-operator", |l| operator(Software::Frr, l)),
    ("bird-operator", |l| operator(Software::Bird, l)),
    ("frr-many", |l| many_prefixes(Software::Frr, l)),
    ("bird-many", |l| many_prefixes(Software::Bird, l)),
    ("tagged-one", |l| tagged_link(l, false)),
    ("tagged-two", |l| tagged_link(l, true)),
    ("live-capture", live_capture),
    ("postgres", postgres),
    ("postgres-netns", postgres_in_namespace),
    ("kernel", kernel),
    ("kernel-user", kernel_of_ordinary_user),
];

pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(result) = role(&arguments) {
        return match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("{error:#}");
                ExitCode::FAILURE
            }
        };
    }
    if std::env::var_os("SKYBRIDGE_INTEROP").is_none() {
        println!("skipped: needs SKYBRIDGE_INTEROP=1 and root; use `cargo xtask interop`");
        return ExitCode::SUCCESS;
    }
    let wanted = arguments;
    let choose = |scenarios: &[Scenario]| -> Vec<Scenario> {
        let is_wanted =
            |name: &str| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str()));
        let chosen = scenarios.iter().filter(|(name, _)| is_wanted(name));
        chosen.copied().collect()
    };
    let (alone, together) = (choose(ALONE), choose(SCENARIOS));
    for software in [Software::Frr, Software::Bird] {
        if let Ok(version) = version(software) {
            println!("{version}");
        }
    }
    if let Err(error) = sweep() {
        println!("FAILED: {error:#}");
        return ExitCode::FAILURE;
    }
    let failed = run(&alone, 1) + run(&together, TOGETHER);
    let count = alone.len() + together.len();
    println!("{} scenarios passed, {failed} failed", count - failed);
    if failed == 0 && count > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs the scenarios, some at a time; gives how many failed.
fn run(chosen: &[Scenario], at_a_time: usize) -> usize {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(0);
    let work = || {
        while let Some((name, scenario)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = Clock::now();
            let result = scenario(name);
            let mut failed = failed.lock().expect("no scenario holds the lock");
            let seconds = start.elapsed().as_secs_f32();
            match result {
                Ok(()) => println!("ok: {name} ({seconds:.1} s)"),
                Err(error) => {
                    *failed += 1;
                    println!("FAILED: {name} ({seconds:.1} s): {error:#}");
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(work);
        }
    });
    failed.into_inner().expect("every scenario has ended")
}
