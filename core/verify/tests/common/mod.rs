//! An interconnect compiled from models written by hand, and claims about it.

#[path = "../../../compile/tests/common/mod.rs"]
mod models;

use skybridge_base::Instant;
use skybridge_blueprint::Blueprint;
use skybridge_verify::{Claim, Pair, Proof, Within};
use skybridge_world::World;

/// The interconnect's network; with BFD on the OCI side or without.
pub(crate) fn interconnect(bfd: bool) -> Blueprint {
    let mut oci = models::oci();
    oci.virtual_circuits[0].bfd = bfd;
    models::compiled_with(&oci).blueprint
}

/// A world of `blueprint` after `seconds`, as a proof wants it.
pub(crate) fn proof(blueprint: Blueprint, seconds: u64, claims: Vec<Claim>) -> Proof {
    let mut world = World::new(blueprint, 1).unwrap();
    world.run_until(Instant::from_secs(seconds));
    Proof {
        log: world.log().clone(),
        at: world.now(),
        claims,
    }
}

/// From the web server to the address of the database's network.
pub(crate) fn pair() -> Pair {
    Pair {
        from: "web".into(),
        to: "probe-db-dbs".into(),
        address: "10.1.10.254".parse().unwrap(),
    }
}

/// The web server reaches the database whatever single element breaks.
pub(crate) fn claim() -> Claim {
    Claim {
        name: "the app reaches its database".to_owned(),
        pairs: vec![pair()],
        tcp: None,
        reachable: true,
        survives: 1,
        within: Within::default(),
    }
}
