//! The lab: requests in, answers out, and everything moved on as time passes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use skybridge_base::{Deadline, Instant, WallTime, earliest};
use skybridge_compile::Extras;
use skybridge_estate::{Estate, Pace};
use skybridge_nodes::NodeEvent;
use skybridge_sites::LabFile;
use skybridge_terraform::{Schemas, StackState};
use skybridge_world::{WorldEvent, WorldEventKind};

use crate::bridge::Bridges;
use crate::capture::Captures;
use crate::checks::{Check, Checks, Decided};
use crate::control::Control;
use crate::document::{Diagnostic, ExpectationRow, IgnoredRow, NotModelledRow, Progress, Report};
use crate::extras::extras;
use crate::forward::Forwards;
use crate::job::{Job, PATIENCE, PATIENCE_AT_REST, Stage, Step, apply_for};
use crate::loose_ends::loose_ends;
use crate::network::Network;
use crate::output::{BridgeId, BridgeInput, ClientId, LabOutput};
use crate::outside::Outside;
use crate::probe::Probes;
use crate::provider::Providers;
use crate::request::{Request, Response, UpRequest};
use crate::run::{OnRefusal, Run, Siblings};
use crate::simulation::{Found, SimulationJob, SimulationResult};
use crate::task::Tasks;
use crate::{diagnostics, expectation, forward, report, task};

/// Requests that wait for the one under way.
const QUEUE_MAX: usize = 64;
/// Rounds of work at one instant; each round moves a stack, an operation or a check on.
const ROUNDS_MAX: usize = 100_000;

/// Steps of the world between two looks at everything else.
const STEPS: u32 = 4;

/// How a lab is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabConfig {
    /// Seed of the world: jitter, loss, initial sequence numbers.
    pub seed: u64,
    /// Seed of ids and service keys: from the operating system where the lab is served to someone.
    pub secret_seed: u64,
    /// How fast lifecycles run.
    pub pace: Pace,
    /// Wall time of the lab's beginning, for the timestamps of captures.
    pub epoch: WallTime,
    /// What hosts are.
    pub hosts: Hosts,
    /// Whether the clouds' and the links' ceilings hold: bandwidths, and the gateways' throughput.
    pub ceilings: bool,
}

/// What the hosts of a lab are, those apart that are added to have something to probe from.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Hosts {
    /// Inside the program: no privilege, any system.
    #[default]
    Internal,
    /// Network namespaces of the kernel, in which programs run. They need a driver in real time.
    Namespaces,
}

/// What is remembered of a stack.
#[derive(Debug, Default)]
pub(crate) struct StackRecord {
    /// When it came, counted in stacks: a later one may rest on an earlier one.
    since: u64,
    pub(crate) state: StackState,
    pub(crate) lab_file: LabFile,
    pub(crate) ignored: Vec<IgnoredRow>,
    pub(crate) not_modelled: Vec<NotModelledRow>,
}

/// A request that waits for its turn.
#[derive(Debug)]
struct Waiting {
    client: ClientId,
    request: Request,
    /// What the client is told in the place of the report when all went well.
    done: Option<String>,
}

/// One running estate with its stacks and its world.
#[derive(Debug)]
pub struct Lab {
    pub(crate) now: Instant,
    pub(crate) control: Control,
    pub(crate) network: Network,
    pub(crate) probes: Probes,
    pub(crate) stacks: BTreeMap<String, StackRecord>,
    pub(crate) providers: Providers,
    pub(crate) decided: Vec<(Check, Decided)>,
    pub(crate) proofs: Vec<ExpectationRow>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) slips: u64,
    /// By how much in all.
    pub(crate) slipped: Duration,
    pub(crate) bridges: Bridges,
    pub(crate) captures: Captures,
    pub(crate) outside: Outside,
    pub(crate) forwards: Forwards,
    pub(crate) schemas: Arc<Schemas>,
    job: Option<Box<Job>>,
    queue: VecDeque<Waiting>,
    tasks: Tasks,
    pub(crate) outputs: VecDeque<LabOutput>,
}

impl Lab {
    /// An empty lab at time zero.
    #[must_use]
    pub fn new(config: &LabConfig) -> Self {
        Self {
            now: Instant::ZERO,
            control: Control::new(config.secret_seed, config.pace),
            network: Network::new(
                config.seed,
                config.hosts == Hosts::Namespaces,
                config.ceilings,
            ),
            probes: Probes::default(),
            stacks: BTreeMap::new(),
            providers: Providers::default(),
            decided: Vec::new(),
            proofs: Vec::new(),
            diagnostics: Vec::new(),
            slips: 0,
            slipped: Duration::ZERO,
            bridges: Bridges::default(),
            captures: Captures::new(config.epoch),
            outside: Outside::default(),
            forwards: Forwards::default(),
            schemas: Arc::new(Schemas::builtin()),
            job: None,
            queue: VecDeque::new(),
            tasks: Tasks::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes a request; the answers come out of [`Lab::poll_output`].
    pub fn request(&mut self, now: Instant, client: ClientId, request: Request) {
        self.catch_up(now);
        match request {
            Request::Up(_) | Request::Down { .. } | Request::Status | Request::Stop => {
                self.enqueue(client, request, None);
            }
            Request::Plan(request) => {
                let report = self.plan(&request);
                self.respond(client, Response::Plan(Box::new(report)), true);
            }
            Request::Outputs { directory } => match self.stacks.get(&directory) {
                Some(record) => {
                    let outputs = crate::plan::outputs(&directory, &record.state);
                    self.respond(client, Response::Outputs(outputs), true);
                }
                None => self.no_stack(client, &directory),
            },
            Request::Enter { host } => {
                if let Err(error) = self.enter(client, &host) {
                    self.respond(client, Response::Error(error), true);
                }
            }
            Request::Ping { .. }
            | Request::Trace { .. }
            | Request::Show(_)
            | Request::Explain { .. }
            | Request::Failover { .. }
            | Request::Diagnose { .. }
            | Request::Cut { .. }
            | Request::Heal { .. }
            | Request::Provider(_)
            | Request::Capture { .. }
            | Request::Forward(_) => match task::answer(self, client, request) {
                Ok(Some(response)) => self.respond(client, response, true),
                Ok(None) => {}
                Err(error) => self.respond(client, Response::Error(error), true),
            },
        }
        self.work();
    }

    /// Puts a request that takes time in the queue. With `done` the client is told that in the place of
    /// the report when all went well.
    pub(crate) fn enqueue(&mut self, client: ClientId, request: Request, done: Option<String>) {
        if self.queue.len() >= QUEUE_MAX {
            self.refuse(client, "too many requests wait already", None);
            return;
        }
        self.queue.push_back(Waiting {
            client,
            request,
            done,
        });
    }

    /// The client has gone: what it waited for is not answered any more. Work goes on.
    pub fn forget(&mut self, client: ClientId) {
        self.queue.retain(|w| w.client != client);
        self.tasks.forget(client);
        self.captures.forget(&mut self.network.world, client);
        forward::forget(self, client);
    }

    /// The client has taken everything that was sent to it: streams may send it more.
    pub fn drained(&mut self, client: ClientId) {
        self.captures.drained(client);
    }

    /// Processes everything due up to `now`, however long it takes: for virtual time.
    pub fn advance(&mut self, now: Instant) {
        while self.advance_to_next(now) {}
    }

    /// Processes some of what is due up to `now`: for real time. True when more is due, so that the
    /// driver looks after its clients in between and calls again with the time that it is then.
    pub fn advance_some(&mut self, now: Instant) -> bool {
        if !self.network.world.is_held_up(now) {
            return self.advance_to_next(now);
        }
        self.now = now.max(self.now);
        self.advance_here();
        true
    }

    /// Goes on to the next thing due up to `now`, at its own time. False when nothing was.
    fn advance_to_next(&mut self, now: Instant) -> bool {
        let due = self.poll_timeout().filter(|d| d.at <= now);
        self.now = due.map_or(now, |d| d.at).max(self.now);
        self.advance_here();
        due.is_some()
    }

    fn advance_here(&mut self) {
        self.control.advance(self.now);
        self.network.world.advance_some(self.now, STEPS);
        self.work();
    }

    /// As [`Lab::advance`], but does not wait for a world that is behind: what comes in meanwhile is
    /// taken as it stands.
    pub(crate) fn catch_up(&mut self, now: Instant) {
        while !self.network.world.is_behind() && self.advance_to_next(now) {}
    }

    /// When to call [`Lab::advance`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let estate = &self.control.estate;
        let mut next = earliest(
            self.control.poll_timeout(),
            self.network.poll_timeout(estate),
        );
        next = earliest(next, self.job.as_ref().and_then(|j| j.poll_timeout()));
        next = earliest(next, self.tasks.poll_timeout());
        next = earliest(next, self.bridges.poll_timeout());
        earliest(
            next,
            self.captures.poll_timeout(self.now, &self.network.world),
        )
    }

    /// The next thing for the driver to do.
    pub fn poll_output(&mut self) -> Option<LabOutput> {
        self.outputs.pop_front()
    }

    /// News of a bridge connection.
    pub fn bridge(&mut self, now: Instant, id: BridgeId, input: BridgeInput) {
        self.catch_up(now);
        self.bridges
            .input(&mut self.network.world, id, input, &mut self.outputs);
        self.work();
    }

    /// How many bytes a bridge connection can take from the server at present.
    #[must_use]
    pub fn bridge_room(&self, id: BridgeId) -> usize {
        self.bridges.room(id)
    }

    /// The result of a simulation.
    pub fn simulated(&mut self, now: Instant, result: SimulationResult) {
        self.catch_up(now);
        match result.found {
            Found::Proofs(rows) => {
                self.proofs = rows;
                if let Some(job) = &mut self.job
                    && matches!(job.stage, Stage::Simulating)
                {
                    job.stage = Stage::Between;
                }
            }
            Found::Answer(client, response) => self.respond(client, *response, true),
        }
        self.work();
    }

    /// The driver was late and has moved the world's clock back by as much.
    pub fn note_slip(&mut self, slip: Duration) {
        self.slips += 1;
        self.slipped += slip;
        self.probes.note_slip();
        self.captures.note_slip(slip);
    }

    /// Breaks something in the world for which there is no request: for simulators.
    ///
    /// # Errors
    /// When the world refuses it.
    pub fn inject(
        &mut self,
        command: skybridge_world::Command,
    ) -> Result<(), skybridge_world::CommandError> {
        self.network.world.command(command)
    }

    /// The estate, for looking at.
    #[must_use]
    pub const fn estate(&self) -> &Estate {
        &self.control.estate
    }

    /// The world, for looking at.
    #[must_use]
    pub const fn world(&self) -> &skybridge_world::World {
        &self.network.world
    }

    /// The lab files of all stacks.
    pub(crate) fn lab_files(&self) -> Vec<&LabFile> {
        self.stacks.values().map(|s| &s.lab_file).collect()
    }

    /// Hands a simulation to the driver.
    pub(crate) fn simulate(&mut self, job: SimulationJob) {
        self.outputs.push_back(LabOutput::Simulate(Box::new(job)));
    }

    pub(crate) const fn tasks_mut(&mut self) -> &mut Tasks {
        &mut self.tasks
    }

    pub(crate) fn push(&mut self, output: LabOutput) {
        self.outputs.push_back(output);
    }

    pub(crate) fn respond(&mut self, client: ClientId, response: Response, last: bool) {
        self.outputs.push_back(LabOutput::Response {
            client,
            response,
            last,
        });
    }

    fn refuse(&mut self, client: ClientId, message: &str, help: Option<&str>) {
        let error = crate::document::ErrorDocument {
            message: message.to_owned(),
            help: help.map(str::to_owned),
            diagnostics: Vec::new(),
        };
        self.respond(client, Response::Error(error), true);
    }

    /// Moves everything on at the present instant.
    pub(crate) fn work(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.network.follow(self.now, &self.control.estate);
            self.outside.follow(
                &self.network.world,
                self.network.generation,
                &mut self.outputs,
            );
            self.network.world.advance_some(self.now, STEPS);
            self.events();
            forward::pump(self);
            let mut moved = self.pump_tasks();
            moved |= self.work_on_job();
            if !moved {
                break;
            }
        }
        let (now, world) = (self.now, &mut self.network.world);
        self.captures.pump(now, world, &mut self.outputs);
    }

    /// Hands the world's events to whoever they concern.
    fn events(&mut self) {
        while let Some(event) = self.network.world.poll_event() {
            let WorldEvent { at, node, kind } = event;
            if let WorldEventKind::Link { link, .. } = &kind {
                self.outside
                    .note_link(&self.network.world, link, &mut self.outputs);
            }
            let (Some(node), WorldEventKind::Node(event)) = (node, kind) else {
                continue;
            };
            if let NodeEvent::Bgp { .. } | NodeEvent::Route { .. } = &event
                && let Some(job) = &mut self.job
                && let Stage::Checking(checks) = &mut job.stage
            {
                checks.note_change(at);
            }
            let world = &mut self.network.world;
            if !self.probes.on_event(world, &node, &event) {
                self.bridges
                    .on_event(world, &node, &event, &mut self.outputs);
            }
        }
    }

    fn pump_tasks(&mut self) -> bool {
        let mut tasks = std::mem::take(&mut self.tasks);
        let answers = tasks.pump(self);
        let moved = !answers.is_empty();
        // What answering has begun stands behind what was there.
        tasks.absorb(std::mem::take(&mut self.tasks));
        self.tasks = tasks;
        for (client, response) in answers {
            self.respond(client, response, true);
        }
        moved
    }

    /// Moves the job on, or begins the next. True when something moved.
    fn work_on_job(&mut self) -> bool {
        let Some(mut job) = self.job.take() else {
            let Some(waiting) = self.queue.pop_front() else {
                return false;
            };
            self.job = self.begin(waiting.client, waiting.request).map(Box::new);
            if let Some(job) = &mut self.job {
                job.done = waiting.done;
            }
            return true;
        };
        let stage = std::mem::replace(&mut job.stage, Stage::Between);
        let (stage, moved) = match stage {
            Stage::Between => (self.next_stage(&mut job), true),
            Stage::Plugging if self.outside.is_awaited() => (Some(Stage::Plugging), false),
            Stage::Plugging => (self.next_stage(&mut job), true),
            Stage::Running { step, run } => self.run(&mut job, step, run),
            Stage::Checking(checks) => self.check(&mut job, checks),
            Stage::Simulating => (Some(Stage::Simulating), false),
        };
        match stage {
            Some(stage) => {
                job.stage = stage;
                self.job = Some(job);
            }
            None => self.finish(&job),
        }
        moved
    }

    fn begin(&mut self, client: ClientId, request: Request) -> Option<Job> {
        let now = self.now;
        match request {
            Request::Up(request) => self.begin_up(client, &request),
            Request::Down { directory } => self.begin_down(client, directory.as_deref(), false),
            Request::Stop => self.begin_down(client, None, true),
            Request::Status => {
                let mut job = Job::new(client, now, VecDeque::new());
                job.simulate = false;
                job.diagnostics = self.diagnostics.clone();
                Some(job)
            }
            Request::Ping { .. }
            | Request::Trace { .. }
            | Request::Show(_)
            | Request::Explain { .. }
            | Request::Failover { .. }
            | Request::Diagnose { .. }
            | Request::Cut { .. }
            | Request::Heal { .. }
            | Request::Enter { .. }
            | Request::Provider(_)
            | Request::Plan(_)
            | Request::Outputs { .. }
            | Request::Capture { .. }
            | Request::Forward(_) => None,
        }
    }

    /// What the lab files say, and what is not modelled but leads somewhere.
    fn extras(&self) -> Extras {
        let estate = &self.control.estate;
        let states = self.stacks.values().map(|record| &record.state);
        Extras {
            loose_ends: loose_ends(estate, &self.schemas, states),
            ..extras(estate, &self.lab_files())
        }
    }

    /// The state of every stack, by directory.
    pub(crate) fn states(&self) -> BTreeMap<String, StackState> {
        (self.stacks.iter())
            .map(|(directory, record)| (directory.clone(), record.state.clone()))
            .collect()
    }

    fn no_stack(&mut self, client: ClientId, directory: &str) {
        let known: Vec<&str> = self.stacks.keys().map(String::as_str).collect();
        let help = format!("stacks that run: {}", known.join(", "));
        let message = format!("no stack of {directory} runs here");
        self.refuse(client, &message, Some(&help));
    }

    fn begin_up(&mut self, client: ClientId, request: &UpRequest) -> Option<Job> {
        let prepared = self.prepare(request);
        let fatal = prepared
            .diagnostics
            .iter()
            .any(|d| diagnostics::is_fatal(d, request.force));
        if fatal {
            let report = Report {
                diagnostics: prepared.diagnostics,
                ..Report::default()
            };
            self.respond(client, Response::Report(Box::new(report)), true);
            return None;
        }
        self.control.estate.set_limits(prepared.limits);
        let steps = (prepared.stacks.into_iter())
            .map(|stack| Step::Apply(Box::new(stack)))
            .collect();
        let mut job = Job::new(client, self.now, steps);
        job.simulate = !request.skip_simulation;
        job.diagnostics = prepared.diagnostics;
        Some(job)
    }

    fn begin_down(&mut self, client: ClientId, directory: Option<&str>, stop: bool) -> Option<Job> {
        let all: Vec<String> = match directory {
            Some(directory) if self.stacks.contains_key(directory) => vec![directory.to_owned()],
            Some(directory) => {
                self.no_stack(client, directory);
                return None;
            }
            None => {
                let mut all: Vec<_> = self.stacks.iter().collect();
                all.sort_by_key(|(_, record)| std::cmp::Reverse(record.since));
                all.into_iter().map(|(name, _)| name.clone()).collect()
            }
        };
        let steps = all.into_iter().map(Step::Destroy).collect();
        let mut job = Job::new(client, self.now, steps);
        job.stop = stop;
        job.is_down = true;
        Some(job)
    }

    /// The record of a stack; a new one comes after all others.
    fn record(&mut self, directory: &str) -> &mut StackRecord {
        let last = self.stacks.values().map(|record| record.since).max();
        let record = self.stacks.entry(directory.to_owned());
        record.or_insert_with(|| StackRecord {
            since: last.map_or(0, |last| last + 1),
            ..StackRecord::default()
        })
    }

    /// What a job does next; `None` when it is through.
    fn next_stage(&mut self, job: &mut Job) -> Option<Stage> {
        if let Some(step) = job.steps.pop_front() {
            let directory = match &step {
                Step::Apply(prepared) => prepared.source.directory.clone(),
                Step::Destroy(directory) => directory.clone(),
            };
            if let Step::Apply(prepared) = &step {
                let record = self.record(&directory);
                record.lab_file = prepared.lab_file.clone();
                record.ignored.clone_from(&prepared.ignored);
                record.not_modelled.clone_from(&prepared.not_modelled);
            }
            let prior = self.stacks.get(&directory).map(|r| r.state.clone());
            let apply = apply_for(&step, prior.unwrap_or_default());
            let mut run = Box::new(Run::new(apply, &directory, OnRefusal::Fail, self.now));
            run.siblings = Siblings::of(&self.states());
            return Some(Stage::Running { step, run });
        }
        if job.is_down || job.checked_at.is_some() {
            return None;
        }
        if job.was_checked {
            job.checked_at = Some(self.now);
            return self.begin_simulation(job);
        }
        let extras = self.extras();
        self.network.set_extras(extras);
        self.network.compile(&self.control.estate);
        let generation = self.network.generation;
        self.outside
            .follow(&self.network.world, generation, &mut self.outputs);
        if self.outside.is_awaited() {
            return Some(Stage::Plugging);
        }
        job.was_checked = true;
        job.network_up_at = Some(self.now);
        job.diagnostics.extend(forward::follow_lab_files(self));
        let checks = expectation::checks(self);
        let patience = if job.counts == [0; 3] {
            PATIENCE_AT_REST
        } else {
            PATIENCE
        };
        Some(Stage::Checking(Checks::new(self.now, checks, patience)))
    }

    fn begin_simulation(&mut self, job: &Job) -> Option<Stage> {
        if !job.simulate {
            return None;
        }
        self.proofs.clear();
        let proof = expectation::proof(self)?;
        self.simulate(SimulationJob::proof(proof));
        self.tell(
            job,
            "simulation",
            "checking",
            "survives and within, on a twin",
        );
        Some(Stage::Simulating)
    }

    fn run(&mut self, job: &mut Job, step: Step, mut run: Box<Run>) -> (Option<Stage>, bool) {
        let moved = run.pump(self.now, &mut self.control);
        if moved {
            let extras = self.extras();
            self.network.set_extras(extras);
        }
        while let Some(progress) = run.progress.pop_front() {
            self.respond(job.client, Response::Progress(progress), false);
        }
        if !run.is_done() {
            if !moved && self.control.poll_timeout().is_none() {
                // Nothing is under way that could help: say what waits, and give up on it.
                run.give_up(&self.control);
                return (Some(Stage::Running { step, run }), true);
            }
            return (Some(Stage::Running { step, run }), moved);
        }
        let said = run.extra.iter().map(diagnostics::from_hcl);
        job.diagnostics.extend(said);
        let not_modelled = std::mem::take(&mut run.not_modelled);
        let result = run.apply.finish();
        let applied = result.diagnostics.iter().filter(|d| d.is_error());
        job.diagnostics.extend(applied.map(diagnostics::from_hcl));
        for (total, count) in job.counts.iter_mut().zip(result.counts) {
            *total += u32::try_from(count).unwrap_or(u32::MAX);
        }
        match step {
            Step::Apply(prepared) => {
                let record = self.record(&prepared.source.directory);
                record.state = result.state;
                for row in not_modelled {
                    if !record.not_modelled.contains(&row) {
                        record.not_modelled.push(row);
                    }
                }
            }
            Step::Destroy(directory) if result.state.instances.is_empty() => {
                self.stacks.remove(&directory);
            }
            Step::Destroy(directory) => {
                self.record(&directory).state = result.state;
            }
        }
        (Some(Stage::Between), true)
    }

    fn check(&mut self, job: &mut Job, mut checks: Checks) -> (Option<Stage>, bool) {
        let up = !checks.is_settled() && report::awaited_sessions_up(self);
        checks.pump(self.now, &mut self.network.world, &mut self.probes, up);
        // Probes that could not be sent are decided at once.
        if !checks.is_done() {
            return (Some(Stage::Checking(checks)), false);
        }
        self.decided = checks
            .results()
            .map(|(check, decided)| (check.clone(), decided.clone()))
            .collect();
        job.stage = Stage::Between;
        (Some(Stage::Between), true)
    }

    fn tell(&mut self, job: &Job, subject: &str, what: &str, detail: &str) {
        let at_ms = u64::try_from(self.now.since(job.started).as_millis()).unwrap_or(u64::MAX);
        let progress = Progress {
            at_ms,
            subject: subject.to_owned(),
            what: what.to_owned(),
            detail: detail.to_owned(),
        };
        self.respond(job.client, Response::Progress(progress), false);
    }

    fn finish(&mut self, job: &Job) {
        self.diagnostics.clone_from(&job.diagnostics);
        diagnostics::sort(&mut self.diagnostics);
        if job.is_down {
            self.decided.clear();
            self.proofs.clear();
            self.network.compile(&self.control.estate);
            let said = forward::follow_lab_files(self);
            self.diagnostics.extend(said);
        }
        let report = report::report(self, job);
        if job.stop {
            // Before the answer: whoever has it finds the lab's place free.
            self.outputs.push_back(LabOutput::Stopped);
        }
        let failed = job.diagnostics.iter().any(|d| d.level == "error");
        let response = match &job.done {
            Some(message) if !failed => Response::Done {
                message: message.clone(),
            },
            Some(_) | None => Response::Report(Box::new(report)),
        };
        self.respond(job.client, response, true);
    }
}
