//! Plan and apply as one pure state machine.
//!
//! The driver loops: [`Apply::poll_action`] until `None`; carry the actions out, in any order and
//! at the same time if it likes; hand each result to [`Apply::complete`] or [`Apply::fail`]; until
//! [`Apply::is_done`]. First everything is planned, with what is not known yet left unknown (data
//! sources whose arguments are known are read then); an error in the plan ends it before anything
//! was changed. Then the plan is carried out in graph order, every instance evaluated again with
//! its inputs known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use skybridge_hcl::{Diagnostic, Spans, Value, has_errors};

use crate::action::{Action, ActionId, Target};
use crate::address::{Address, Mode};
use crate::diff::merge;
use crate::graph::{self, Graph, Node, NodeKind};
use crate::moves;
use crate::outcome::{ApplyResult, AsPlanned, Change, NotModelled, PlannedInstance};
use crate::placeholder::placeholder_attributes;
use crate::refactor::{Refactored, refactor};
use crate::said::Said;
use crate::scope::Values;
use crate::stack::Stack;
use crate::state::{InstanceState, OutputState, StackState};
use crate::walk::PENDING_CHECK;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Plan,
    Apply,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Waiting,
    Done,
    Failed,
}

/// An action under way.
#[derive(Debug)]
pub(crate) struct Running {
    /// The node it belongs to; none for deletions.
    pub(crate) node: Option<usize>,
    pub(crate) address: Address,
    pub(crate) kind: RunningKind,
    /// What was planned, or the arguments of a read.
    pub(crate) planned: Value,
    pub(crate) dependencies: Arc<Vec<Address>>,
    pub(crate) provider: String,
    pub(crate) spans: Spans,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunningKind {
    Read,
    Create,
    Update,
    Delete,
    /// Of an instance whose replacement is there already.
    DeleteDeposed,
}

/// An action that waits for deletions.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) waits: BTreeSet<Address>,
    pub(crate) action: Action,
    pub(crate) running: Running,
}

/// The machine.
#[derive(Debug)]
pub struct Apply {
    pub(crate) stack: Arc<Stack>,
    pub(crate) graph: Graph,
    pub(crate) prior: StackState,
    pub(crate) state: BTreeMap<Address, InstanceState>,
    pub(crate) values: Values,
    pub(crate) phase: Phase,
    plan_only: bool,
    pub(crate) status: Vec<Status>,
    /// Instances of modules and resources so far in this walk.
    pub(crate) instances: usize,
    /// What its values need in memory.
    pub(crate) octets: u64,
    waiting: Vec<usize>,
    ready: BTreeSet<usize>,
    pub(crate) outstanding: Vec<usize>,
    pub(crate) queue: VecDeque<Action>,
    pub(crate) running: BTreeMap<ActionId, Running>,
    /// Actions that wait for deletions, by number.
    held: BTreeMap<u64, Held>,
    /// The held actions that wait for each deletion.
    holds: BTreeMap<Address, BTreeSet<u64>>,
    next_id: u64,
    pub(crate) plan: BTreeMap<Address, PlannedInstance>,
    as_planned: AsPlanned,
    /// Data sources read while planning: arguments and result.
    pub(crate) reads: BTreeMap<Address, (Value, Value)>,
    /// Deletions that are planned and not done.
    pub(crate) deletes: BTreeSet<Address>,
    pub(crate) not_modelled: BTreeMap<String, NotModelled>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) said: Said,
    counts: [usize; 3],
    pub(crate) moved: BTreeMap<Address, Address>,
    forgotten: BTreeMap<Address, InstanceState>,
    /// What is deleted once everything else is done.
    pub(crate) deposed: VecDeque<(Address, InstanceState)>,
    /// Those whose deletion failed.
    pub(crate) left: Vec<(Address, InstanceState)>,
    /// Instances that this apply has created.
    pub(crate) made: BTreeSet<Address>,
}

impl Apply {
    /// A machine that brings what `prior` says to what the stack says.
    #[must_use]
    pub fn new(stack: Arc<Stack>, prior: StackState) -> Self {
        let mut diagnostics = Vec::new();
        let graph = graph::build(&stack.config, &mut diagnostics);
        let refactored = refactor(&stack.config, prior, &mut diagnostics);
        let Refactored {
            state,
            moved,
            forgotten,
        } = refactored;
        let mut machine = Self::empty(stack, state, graph);
        machine.diagnostics = diagnostics;
        machine.moved = moved;
        machine.forgotten = forgotten;
        machine.start_walk();
        machine
    }

    /// A machine that only plans.
    #[must_use]
    pub fn plan_only(stack: Arc<Stack>, prior: StackState) -> Self {
        let mut machine = Self::new(stack, prior);
        machine.plan_only = true;
        machine
    }

    /// A machine that deletes everything, dependants first.
    #[must_use]
    pub fn destroy(prior: StackState) -> Self {
        let stack = Arc::new(Stack::default());
        let mut machine = Self::empty(stack, prior, Graph::default());
        machine.start_walk();
        machine
    }

    fn empty(stack: Arc<Stack>, prior: StackState, graph: Graph) -> Self {
        let nodes = graph.nodes.len();
        Self {
            stack,
            state: prior.instances.clone(),
            deposed: prior.deposed.clone().into(),
            prior,
            values: Values::default(),
            phase: Phase::Plan,
            plan_only: false,
            status: vec![Status::Waiting; nodes],
            instances: 0,
            octets: 0,
            waiting: Vec::new(),
            ready: BTreeSet::new(),
            outstanding: vec![0; nodes],
            queue: VecDeque::new(),
            running: BTreeMap::new(),
            held: BTreeMap::new(),
            holds: BTreeMap::new(),
            next_id: 0,
            plan: BTreeMap::new(),
            as_planned: AsPlanned::default(),
            reads: BTreeMap::new(),
            deletes: BTreeSet::new(),
            not_modelled: BTreeMap::new(),
            diagnostics: Vec::new(),
            said: Said::default(),
            counts: [0; 3],
            moved: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            left: Vec::new(),
            made: BTreeSet::new(),
            graph,
        }
    }

    fn start_walk(&mut self) {
        self.values = Values::default();
        self.instances = 0;
        self.octets = 0;
        self.status = vec![Status::Waiting; self.graph.nodes.len()];
        self.outstanding = vec![0; self.graph.nodes.len()];
        self.waiting = self.graph.needs.iter().map(BTreeSet::len).collect();
        self.ready = (0..self.waiting.len())
            .filter(|i| self.waiting[*i] == 0)
            .collect();
    }

    /// The next action, or `None` while results are awaited or all is done.
    pub fn poll_action(&mut self) -> Option<Action> {
        loop {
            if let Some(action) = self.queue.pop_front() {
                let Some(answer) = self.own_answer(&action) else {
                    return Some(action);
                };
                self.complete(action.target().id, &answer);
                continue;
            }
            if let Some(index) = self.ready.pop_first() {
                self.visit(index);
                if self.outstanding[index] == 0 {
                    self.node_done(index);
                }
                continue;
            }
            if !self.running.is_empty() {
                return None;
            }
            match self.phase {
                Phase::Plan => self.end_plan(),
                Phase::Apply => {
                    if !self.delete_deposed() {
                        self.phase = Phase::Done;
                    }
                }
                Phase::Done => return None,
            }
        }
    }

    /// Reports that an action was carried out, with all attributes of the instance as the cloud
    /// has them ([`Value::null`] for a deletion). A computed attribute that is missing becomes a
    /// placeholder. An id that is not under way is ignored.
    pub fn complete(&mut self, id: ActionId, attributes: &Value) {
        let Some(running) = self.running.remove(&id) else {
            return;
        };
        match running.kind {
            RunningKind::Delete => {
                self.counts[2] += 1;
                self.deleted(&running.address);
            }
            RunningKind::DeleteDeposed => self.counts[2] += 1,
            RunningKind::Read => {
                let value = self.read_result(&running, attributes);
                self.reads.insert(
                    running.address.clone(),
                    (running.planned.clone(), value.clone()),
                );
                if self.phase == Phase::Plan
                    && let Some(planned) = self.plan.get_mut(&running.address)
                {
                    planned.attributes = value.clone();
                }
                self.instance_done(running, value, false);
            }
            RunningKind::Create | RunningKind::Update => {
                self.counts[usize::from(running.kind == RunningKind::Update)] += 1;
                let path = running.address.to_string();
                let value = merge(&running.planned, Some(attributes), &path);
                if running.kind == RunningKind::Create {
                    self.made.insert(running.address.clone());
                }
                self.instance_done(running, value, false);
            }
        }
    }

    fn read_result(&self, running: &Running, attributes: &Value) -> Value {
        let schema = self.stack.schemas.find(Mode::Data, &running.address.ty);
        let wanted = crate::diff::diff(
            schema,
            None,
            &running.planned,
            &crate::config::IgnoreChanges::None,
        );
        merge(
            &wanted.planned,
            Some(attributes),
            &running.address.to_string(),
        )
    }

    /// Reports that an instance is not modelled after all: its attributes become placeholders.
    pub fn complete_as_placeholder(&mut self, id: ActionId) {
        let Some(running) = self.running.remove(&id) else {
            return;
        };
        if running.kind == RunningKind::DeleteDeposed {
            return;
        }
        if running.kind == RunningKind::Delete {
            return self.deleted(&running.address);
        }
        let address = running.address.clone();
        self.note_not_modelled(&address, &running.spans, true);
        let schema = self.stack.schemas.find(address.mode, &address.ty);
        let value = placeholder_attributes(schema, &address, &running.planned);
        if running.kind == RunningKind::Read {
            self.reads
                .insert(address, (running.planned.clone(), value.clone()));
        }
        self.instance_done(running, value, true);
    }

    /// Reports that an action failed. What depends on the instance is skipped, and said so.
    pub fn fail(&mut self, id: ActionId, diagnostic: Diagnostic) {
        let Some(running) = self.running.remove(&id) else {
            return;
        };
        self.diagnostics.push(diagnostic);
        if running.kind == RunningKind::DeleteDeposed {
            return self.keep_deposed(running);
        }
        if running.kind == RunningKind::Delete {
            self.deletion_failed(&running.address);
            return;
        }
        if let Some(node) = running.node {
            self.status[node] = Status::Failed;
            self.one_less(node);
        }
    }

    /// Reports that a creation failed after something was made. It stays in the state with the attributes
    /// that it has, tainted: the next apply deletes it and makes it anew. Any other action fails as by
    /// [`Apply::fail`].
    pub fn fail_made(&mut self, id: ActionId, attributes: &Value, diagnostic: Diagnostic) {
        if let Some(running) = self.running.get(&id)
            && running.kind == RunningKind::Create
        {
            let address = running.address.clone();
            let value = merge(&running.planned, Some(attributes), &address.to_string());
            let (provider, spans) = (running.provider.clone(), running.spans.clone());
            let dependencies = running.dependencies.clone();
            self.record(&address, value, provider, dependencies, spans, false);
            if let Some(instance) = self.state.get_mut(&address) {
                instance.tainted = true;
            }
        }
        self.fail(id, diagnostic);
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done && self.queue.is_empty() && self.running.is_empty()
    }

    /// Whether nothing is carried out yet.
    #[must_use]
    pub fn is_planning(&self) -> bool {
        self.phase == Phase::Plan
    }

    /// What is to be said so far.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// What is planned, complete once the first action that is not a read comes out.
    #[must_use]
    pub fn plan(&self) -> &BTreeMap<Address, PlannedInstance> {
        &self.plan
    }

    /// The result. It may be taken early: what was completed is in the state, actions that were
    /// never completed count as not carried out.
    #[must_use]
    pub fn finish(self) -> ApplyResult {
        let applied = self.phase != Phase::Plan && !self.plan_only;
        let mut outputs = self.outputs();
        if applied {
            // A null is no output, as in Terraform's state.
            outputs.retain(|_, output| !output.value.is_null());
        }
        let state = if applied {
            StackState {
                instances: self.state,
                outputs: outputs.clone(),
                deposed: self.left.into_iter().chain(self.deposed).collect(),
            }
        } else {
            self.prior
        };
        ApplyResult {
            state,
            outputs,
            diagnostics: self.diagnostics,
            not_modelled: self.not_modelled.into_values().collect(),
            plan: self.plan,
            as_planned: self.as_planned,
            counts: self.counts,
        }
    }

    /// The outputs of the root module so far.
    fn outputs(&self) -> BTreeMap<String, OutputState> {
        let root = self.stack.config.modules.get(&Vec::new());
        let declared = root.into_iter().flat_map(|module| &module.outputs);
        let known = declared.filter_map(|(name, output)| {
            let value = self.values.outputs.get(&(Vec::new(), name.clone()))?;
            let output = OutputState {
                value: value.clone(),
                sensitive: output.sensitive,
            };
            Some((name.clone(), output))
        });
        known.collect()
    }

    /// Everything is planned: stop at errors, else work out deletions and walk again.
    fn end_plan(&mut self) {
        let kept: BTreeSet<Address> = self.plan.keys().cloned().collect();
        let gone = self
            .prior
            .instances
            .iter()
            .filter(|(a, _)| !kept.contains(*a));
        let gone: Vec<(Address, InstanceState)> =
            gone.map(|(a, i)| (a.clone(), i.clone())).collect();
        for (address, instance) in gone {
            if address.mode == Mode::Data {
                self.state.remove(&address);
                continue;
            }
            self.check_destroyable(&address);
            let mut planned = PlannedInstance::leaving(Change::Delete, instance);
            planned.moved_from = self.moved.get(&address).cloned();
            planned.reason = Some(self.reason_gone(&address));
            self.plan.insert(address, planned);
        }
        for (address, instance) in &self.forgotten {
            let planned = PlannedInstance::leaving(Change::Forget, instance.clone());
            self.plan.insert(address.clone(), planned);
        }
        self.spread_create_first();
        self.say_not_modelled();
        moves::check(&self.stack.config, &self.values, &mut self.diagnostics);
        self.as_planned = AsPlanned {
            outputs: self.outputs(),
            diagnostics: self.diagnostics.clone(),
        };
        if has_errors(&self.diagnostics) || self.plan_only {
            if !self.plan_only {
                self.plan_only = true;
            }
            self.phase = Phase::Done;
            return;
        }
        // Warnings of the walk come again with the second one.
        self.diagnostics
            .retain(|d| !d.is_error() && d.summary != PENDING_CHECK);
        self.said = Said::default();
        self.phase = Phase::Apply;
        self.depose();
        self.start_deletes();
        self.start_walk();
    }

    fn start_deletes(&mut self) {
        let doomed = self
            .plan
            .iter()
            .filter(|(_, p)| matches!(p.change, Change::Delete | Change::Replace))
            .filter(|(_, p)| !p.create_first);
        self.deletes = doomed
            .map(|(a, _)| a.clone())
            .filter(|a| self.prior.instances.contains_key(a))
            .collect();
        // What rests on an instance goes before it.
        let mut users: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
        for address in &self.deletes {
            for below in self.prior.instances[address].dependencies.iter() {
                if below != address && self.deletes.contains(below) {
                    users
                        .entry(below.clone())
                        .or_default()
                        .insert(address.clone());
                }
            }
        }
        for address in self.deletes.clone() {
            let instance = self.prior.instances[&address].clone();
            let waits = users.remove(&address).unwrap_or_default();
            let replaced = self
                .plan
                .get(&address)
                .is_some_and(|p| p.change == Change::Replace);
            let target = self.target(&address, &instance.provider, &instance.spans);
            let running = Running {
                node: None,
                address: address.clone(),
                kind: RunningKind::Delete,
                planned: Value::null(),
                dependencies: Arc::default(),
                provider: instance.provider.clone(),
                spans: instance.spans.clone(),
            };
            let action = Action::Delete {
                target,
                before: instance.attributes,
                replaced,
            };
            self.start(action, running, waits);
        }
    }

    pub(crate) fn target(&mut self, address: &Address, provider: &str, spans: &Spans) -> Target {
        self.next_id += 1;
        Target {
            id: ActionId(self.next_id),
            address: address.clone(),
            provider: provider.to_owned(),
            provider_config: Value::null(),
            spans: spans.clone(),
        }
    }

    /// Hands an action out, once the deletions in `waits` are done.
    pub(crate) fn start(&mut self, action: Action, running: Running, waits: BTreeSet<Address>) {
        if let Some(node) = running.node {
            self.outstanding[node] += 1;
        }
        let waits: BTreeSet<Address> = waits
            .into_iter()
            .filter(|a| self.deletes.contains(a))
            .collect();
        if waits.is_empty() {
            self.release(action, running);
        } else {
            let number = action.target().id.0;
            for address in &waits {
                self.holds
                    .entry(address.clone())
                    .or_default()
                    .insert(number);
            }
            self.held.insert(
                number,
                Held {
                    waits,
                    action,
                    running,
                },
            );
        }
    }

    fn release(&mut self, action: Action, running: Running) {
        // Nobody models it: nothing to delete.
        let modelled = self
            .state
            .get(&running.address)
            .is_none_or(|i| !i.placeholder);
        if running.kind == RunningKind::Delete && !modelled {
            return self.deleted(&running.address);
        }
        self.running.insert(action.target().id, running);
        self.queue.push_back(action);
    }

    fn deleted(&mut self, address: &Address) {
        self.state.remove(address);
        self.deletes.remove(address);
        for number in self.holds.remove(address).unwrap_or_default() {
            let Some(held) = self.held.get_mut(&number) else {
                continue;
            };
            held.waits.remove(address);
            if held.waits.is_empty()
                && let Some(held) = self.held.remove(&number)
            {
                self.release(held.action, held.running);
            }
        }
    }

    /// What waits for a deletion that failed cannot be done either.
    fn deletion_failed(&mut self, address: &Address) {
        let stuck = self.holds.remove(address).unwrap_or_default();
        let stuck: Vec<Held> = stuck
            .into_iter()
            .filter_map(|n| self.held.remove(&n))
            .collect();
        for held in stuck {
            let detail = format!(
                "{} was left as it is because {address} could not be deleted",
                held.running.address
            );
            self.diagnostics
                .push(Diagnostic::warning("Skipped", detail));
            match held.running.node {
                Some(node) => {
                    self.status[node] = Status::Failed;
                    self.one_less(node);
                }
                None => self.deletion_failed(&held.running.address),
            }
        }
    }

    /// Records an instance and counts it off its node.
    fn instance_done(&mut self, running: Running, value: Value, placeholder: bool) {
        let address = running.address;
        self.record(
            &address,
            value,
            running.provider,
            running.dependencies,
            running.spans,
            placeholder,
        );
        let stack = Arc::clone(&self.stack);
        let made = self.values.resources.get(&address).cloned();
        let holds = made.is_none_or(|made| self.postconditions(&stack, &address, &made));
        if let Some(node) = running.node {
            if !holds {
                self.status[node] = Status::Failed;
            }
            self.one_less(node);
        }
    }

    pub(crate) fn record(
        &mut self,
        address: &Address,
        value: Value,
        provider: String,
        dependencies: Arc<Vec<Address>>,
        spans: Spans,
        placeholder: bool,
    ) {
        let value = value.with_origin(address.to_string());
        self.values.resources.insert(address.clone(), value.clone());
        let instance = InstanceState {
            ty: address.ty.clone(),
            provider,
            attributes: value,
            dependencies,
            placeholder,
            tainted: false,
            spans,
        };
        self.state.insert(address.clone(), instance);
    }

    fn one_less(&mut self, node: usize) {
        self.outstanding[node] -= 1;
        if self.outstanding[node] == 0 {
            self.node_done(node);
        }
    }

    fn node_done(&mut self, node: usize) {
        if self.status[node] == Status::Waiting {
            self.status[node] = Status::Done;
        }
        let Node { path, kind } = &self.graph.nodes[node];
        if let NodeKind::Resource(mode, ty, name) = kind {
            (self.values).settle(path, &(*mode, ty.clone(), name.clone()));
        }
        for user in self.graph.needed_by[node].clone() {
            self.waiting[user] -= 1;
            if self.waiting[user] == 0 {
                self.ready.insert(user);
            }
        }
    }
}
