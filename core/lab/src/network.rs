//! The world that runs what the estate means.

use std::time::Duration;

use skybridge_azure::model::AzureModel;
use skybridge_base::{Deadline, Instant, earliest};
use skybridge_blueprint::Blueprint;
use skybridge_compile::{Compiled, Extras, Inputs, compile};
use skybridge_estate::Estate;
use skybridge_oci::model::OciModel;
use skybridge_world::World;

/// Least time between two compilations while the estate moves, per node of the network: large estates
/// would otherwise be compiled for every step of every operation.
const PAUSE_PER_NODE: Duration = Duration::from_micros(40);

/// A world, what it was compiled from, and where resources are in it.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) world: World,
    pub(crate) compiled: Compiled,
    pub(crate) azure: AzureModel,
    pub(crate) oci: OciModel,
    pub(crate) extras: Extras,
    /// The estate's revision that runs.
    revision: u64,
    /// Extras changed since.
    stale: bool,
    compile_at: Option<Instant>,
    /// Hosts are network namespaces of the kernel.
    in_namespaces: bool,
    /// The clouds' ceilings hold.
    has_ceilings: bool,
    /// Counts what the world was told to be.
    pub(crate) generation: u64,
}

impl Network {
    pub(crate) fn new(seed: u64, in_namespaces: bool, has_ceilings: bool) -> Self {
        let mut world =
            World::new(Blueprint::default(), seed).expect("an empty blueprint has no faults");
        // Nobody compares a lab's trace with another's; twins repeat its commands, not its hash.
        world.set_tracing(false);
        Self {
            world,
            compiled: Compiled::default(),
            azure: AzureModel::default(),
            oci: OciModel::default(),
            extras: Extras::default(),
            revision: 0,
            stale: false,
            compile_at: None,
            in_namespaces,
            has_ceilings,
            generation: 0,
        }
    }

    /// Takes over what the lab files say.
    pub(crate) fn set_extras(&mut self, extras: Extras) {
        if self.extras != extras {
            self.extras = extras;
            self.stale = true;
        }
    }

    /// Brings the world up to the estate, now or soon.
    pub(crate) fn follow(&mut self, now: Instant, estate: &Estate) {
        if self.is_current(estate) {
            self.compile_at = None;
            return;
        }
        let at = *self.compile_at.get_or_insert(now);
        if now >= at {
            self.compile(estate);
            let nodes = u32::try_from(self.compiled.blueprint.nodes.len()).unwrap_or(u32::MAX);
            self.compile_at = Some(now + PAUSE_PER_NODE * nodes);
        }
    }

    /// Brings the world up to the estate at once.
    pub(crate) fn compile(&mut self, estate: &Estate) {
        self.revision = estate.revision();
        self.stale = false;
        self.azure = AzureModel::read(estate);
        self.oci = OciModel::read(estate);
        self.compiled = compile(&Inputs {
            estate,
            azure: &self.azure,
            oci: &self.oci,
            extras: &self.extras,
        });
        if !self.has_ceilings {
            skybridge_compile::lift_ceilings(&mut self.compiled.blueprint);
        }
        if self.in_namespaces {
            skybridge_compile::place_in_namespaces(&mut self.compiled.blueprint);
        }
        if *self.world.blueprint() != self.compiled.blueprint {
            self.generation += 1;
            self.world
                .apply(self.compiled.blueprint.clone())
                .expect("what the compiler makes is whole; its tests check every blueprint");
        }
    }

    pub(crate) fn is_current(&self, estate: &Estate) -> bool {
        self.revision == estate.revision() && !self.stale
    }

    pub(crate) fn poll_timeout(&self, estate: &Estate) -> Option<Deadline> {
        let compile = (!self.is_current(estate))
            .then_some(self.compile_at)
            .flatten()
            .map(|at| Deadline::new(at, "compile"));
        earliest(self.world.poll_timeout(), compile)
    }
}
