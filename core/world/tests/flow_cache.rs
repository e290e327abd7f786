//! With and without a flow cache a world does the same: frames on every link, counters, drops, events, and
//! the trace hash. Permanent: whatever a packet can meet belongs into `twins`.

mod twins;

use proptest::prelude::*;
use twins::Twins;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_flow_cache_changes_nothing_but_the_cost(seed in any::<u64>(), tracing in any::<bool>()) {
        Twins::new(seed, tracing).run(150);
    }
}

/// Seeds that between them make much use of the cache; a generator that no longer does proves nothing.
#[test]
fn the_flow_cache_is_used_by_what_it_is_compared_with() {
    let all = (0..40).map(|seed| Twins::new(seed, seed % 2 == 0).run(300));
    let (mut hits, mut misses) = (0, 0);
    for stats in all {
        hits += stats.hits;
        misses += stats.misses;
    }
    assert!(hits > 5000 && misses > 5000, "{hits} hits, {misses} misses");
}
