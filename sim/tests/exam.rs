//! A sample of the examination of `diagnose`; the whole of it is `cargo xtask diagnose`.

use skybridge_sim::exam::{Exam, Paper, examine, kinds_count};

fn assert_right(exam: &Exam) {
    assert!(
        exam.is_right,
        "seed {} {:?}, {:?}: truth {:?}, said {:?}, {:?}\n{:#?}",
        exam.seed,
        exam.paper,
        exam.particulars,
        exam.truth,
        exam.said,
        exam.condition,
        exam.diagnosis.findings
    );
}

#[test]
fn every_kind_of_fault_is_named_with_layer_and_owner() {
    for seed in 1..=kinds_count() as u64 {
        assert_right(&examine(seed, Paper::Fault));
    }
}

#[test]
fn there_is_no_alarm_in_healthy_estates() {
    for seed in 20..=33 {
        assert_right(&examine(seed, Paper::Healthy));
    }
}

#[test]
fn what_only_stands_by_is_degraded_and_not_failed() {
    for seed in 20..=33 {
        assert_right(&examine(seed, Paper::Degraded));
    }
}
