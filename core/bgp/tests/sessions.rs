//! Two or three speakers in virtual time: bring-up, collision, loss, limits.

mod common;

use std::time::Duration;

use common::*;
use skybridge_base::Instant;
use skybridge_bgp::{Originate, StateKind, TableId};

const T0: TableId = TableId(0);

#[test]
fn two_speakers_exchange_routes() {
    let mut w = World::new(vec![speaker(65001, 1), speaker(65002, 2)], 1);
    let (a, b) = w.link(
        (0, peer("10.0.0.1", "10.0.0.2", 65002)),
        (1, peer("10.0.0.2", "10.0.0.1", 65001)),
    );
    w.speakers[0]
        .originate(w.now, T0, net("192.0.2.0/24"), &Originate::default())
        .unwrap();
    w.run_until(Instant::from_millis(300));
    assert_eq!(w.state(0, a), StateKind::Established);
    assert_eq!(w.state(1, b), StateKind::Established);
    assert_eq!(w.nets(1), [net("192.0.2.0/24")]);
    let path = &w.fib[1][&(T0, net("192.0.2.0/24"))][0];
    assert_eq!(path.next_hop, Some(ip("10.0.0.1")));
    w.speakers[0].withdraw_originated(w.now, T0, net("192.0.2.0/24"));
    w.run_for(Duration::from_millis(100));
    assert!(w.nets(1).is_empty());
}
