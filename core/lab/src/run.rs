//! One stack being applied or destroyed: Terraform's actions handed to the clouds, and back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use skybridge_base::Instant;
use skybridge_estate::{Command, Estate, Phase, Refusal, ResourceId};
use skybridge_hcl::{Diagnostic, Value};
use skybridge_terraform::{Action, ActionId, Apply, Target};

use crate::adoption::{Shared, adopted};
use crate::control::Control;
use crate::dialect::{Dialect, Mapped, Settled};
use crate::document::{NotModelledRow, Progress};
pub(crate) use crate::siblings::Siblings;

/// What becomes of refusals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnRefusal {
    /// The action fails, as in reality.
    Fail,
    /// It is noted and the resource is there all the same, so that everything else is looked at too.
    NoteAndGoOn,
}

/// A stack under way.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) apply: Apply,
    /// The stack's directory.
    stack: String,
    running: BTreeMap<ActionId, Running>,
    on_refusal: OnRefusal,
    /// Refusals that were noted: the request, and what the cloud said.
    pub(crate) refusals: Vec<(Command, Refusal)>,
    /// What was put in although its cloud refused it.
    forced: BTreeSet<ResourceId>,
    /// The names in their cloud of instances that are not modelled although their type is.
    left_out: BTreeSet<String>,
    /// What ended in failure although its cloud accepted it, when that is only noted: the same
    /// diagnostics as the apply's.
    pub(crate) failures: Vec<Diagnostic>,
    /// Diagnostics beside the one that a failed action carries.
    pub(crate) extra: Vec<Diagnostic>,
    /// Those of `extra` that came while nothing was carried out.
    pub(crate) extra_of_plan: Vec<Diagnostic>,
    /// Resources that the dialect could not map.
    pub(crate) not_modelled: Vec<NotModelledRow>,
    /// What other stacks have put out, for `terraform_remote_state`.
    pub(crate) siblings: Siblings,
    /// For the client that waits.
    pub(crate) progress: VecDeque<Progress>,
    started: Instant,
    /// Nothing in the estate will move any more: take what is there as settled.
    patience_ended: bool,
}

#[derive(Debug)]
struct Running {
    dialect: Dialect,
    action: Action,
    queue: VecDeque<Command>,
    /// What the last command wrote or deletes; the next waits for it.
    touched: Vec<ResourceId>,
    /// What was accepted for deletion.
    leaving: Vec<ResourceId>,
    was_sent: bool,
    /// What the cloud last said; a deletion waits for others that stand in its way.
    refused: Option<Refusal>,
}

impl Run {
    pub(crate) fn new(apply: Apply, stack: &str, on_refusal: OnRefusal, now: Instant) -> Self {
        Self {
            apply,
            stack: stack.to_owned(),
            running: BTreeMap::new(),
            on_refusal,
            refusals: Vec::new(),
            forced: BTreeSet::new(),
            left_out: BTreeSet::new(),
            failures: Vec::new(),
            extra: Vec::new(),
            extra_of_plan: Vec::new(),
            not_modelled: Vec::new(),
            siblings: Siblings::default(),
            progress: VecDeque::new(),
            started: now,
            patience_ended: false,
        }
    }

    /// Moves everything on that can be. True when something moved.
    pub(crate) fn pump(&mut self, now: Instant, control: &mut Control) -> bool {
        let mut moved = false;
        loop {
            let mut again = false;
            while let Some(action) = self.apply.poll_action() {
                self.start(now, control, action);
                again = true;
            }
            let ids: Vec<ActionId> = self.running.keys().copied().collect();
            for id in ids {
                again |= self.drive(now, control, id);
            }
            if !again {
                return moved;
            }
            moved = true;
        }
    }

    /// For trying things out: no operation is left, so what still waits never settles. Notes what its cloud
    /// keeps refusing, names what else waits, and lets it all pass.
    pub(crate) fn lose_patience(&mut self, now: Instant, control: &mut Control) -> Vec<Target> {
        self.patience_ended = true;
        let mut waiting = Vec::new();
        for running in self.running.values_mut() {
            let (Some(refusal), Some(command)) =
                (running.refused.take(), running.queue.pop_front())
            else {
                waiting.push(running.action.target().clone());
                continue;
            };
            if let Command::Put(put) = &command {
                control.force(now, put);
            }
            self.refusals.push((command, refusal));
        }
        waiting
    }

    /// Nothing in the estate will move any more: what waits has failed.
    pub(crate) fn give_up(&mut self, control: &Control) {
        for (id, running) in std::mem::take(&mut self.running) {
            let target = running.action.target();
            let why = match &running.refused {
                Some(refusal) => refusal.to_string(),
                None => "it never became ready, and nothing that it waits for is under way".into(),
            };
            let diagnostic = Diagnostic::error(format!("{} failed", target.address), why)
                .at_opt(target.spans.find(""));
            match &running.action {
                Action::Create { planned, .. } if running.was_sent => {
                    let dialect = running.dialect;
                    let made = dialect.attributes(&control.estate, &self.stack, target, planned);
                    self.apply.fail_made(id, &made, diagnostic);
                }
                Action::Create { .. }
                | Action::Read { .. }
                | Action::Update { .. }
                | Action::Delete { .. } => self.apply.fail(id, diagnostic),
            }
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.apply.is_done()
    }

    fn say(&mut self, now: Instant, target: &Target, what: &str, detail: String) {
        self.progress.push_back(Progress {
            at_ms: u64::try_from(now.since(self.started).as_millis()).unwrap_or(u64::MAX),
            subject: target.address.to_string(),
            what: what.to_owned(),
            detail,
        });
    }

    fn start(&mut self, now: Instant, control: &Control, action: Action) {
        let target = action.target().clone();
        if let Action::Read { config, .. } = &action
            && target.address.ty == "terraform_remote_state"
        {
            let address = target.address.to_string();
            let spans = &target.spans;
            let (state, said) = self.siblings.read(&self.stack, &address, config, spans);
            if self.apply.is_planning() {
                self.extra_of_plan.extend(said.clone());
            }
            self.extra.extend(said);
            self.apply.complete(target.id, &state);
            return;
        }
        let shared = self.shared(&action);
        if let (Action::Delete { .. }, Some(shared)) = (&action, &shared) {
            let whose = format!("{} of {} still has it", shared.address, shared.directory);
            self.say(now, &target, "left", whose);
            self.apply.complete(target.id, &Value::null());
            return;
        }
        let Some(dialect) = Dialect::of(&target.address) else {
            // No dialect: the stack's schemas give it stable placeholders.
            match action {
                Action::Delete { .. } => self.apply.complete(target.id, &Value::null()),
                Action::Read { .. } | Action::Create { .. } | Action::Update { .. } => {
                    self.apply.complete_as_placeholder(target.id);
                }
            }
            return;
        };
        let mapped = match &action {
            Action::Read { config, .. } => {
                match dialect.read(&control.estate, &target, config) {
                    Ok(attributes) => self.apply.complete(target.id, &attributes),
                    // Nobody serves this data source: stable placeholders, named once.
                    Err(diagnostic) if diagnostic.summary == "Not modelled" => {
                        self.apply.complete_as_placeholder(target.id);
                    }
                    Err(mut diagnostic) => {
                        diagnostic.span =
                            diagnostic.span.or_else(|| target.spans.find("").cloned());
                        self.apply.fail(target.id, *diagnostic);
                    }
                }
                return;
            }
            Action::Create { planned, .. } => dialect.create(&control.estate, &target, planned),
            Action::Update { before, after, .. } => {
                dialect.update(&control.estate, &target, before, after)
            }
            Action::Delete { before, .. } => Ok(Mapped::Commands(dialect.delete(
                &control.estate,
                &target.address.ty,
                before,
            ))),
        };
        match mapped.map(|mapped| self.without_parts(mapped)) {
            Err(diagnostics) => self.refuse(&target, diagnostics),
            Ok(Mapped::NotModelled(what)) => {
                self.left_out.extend(action_identity(&action));
                let span = target.spans.find("");
                self.not_modelled.push(NotModelledRow {
                    resource: target.address.to_string(),
                    what,
                    file: span.map(|s| s.file.to_string()),
                    line: span.map(|s| s.line),
                });
                self.apply.complete_as_placeholder(target.id);
            }
            Ok(Mapped::Recorded) => {
                let running = Running::new(dialect, action, Vec::new());
                self.running.insert(target.id, running);
            }
            Ok(Mapped::Commands(_)) if shared.is_some_and(|s| s.odds.is_empty()) => {
                self.say(now, &target, "adopting", String::new());
                let running = Running::new(dialect, action, Vec::new());
                self.running.insert(target.id, running);
            }
            Ok(Mapped::Commands(mut commands)) => {
                for command in &mut commands {
                    if let Command::Put(put) = command
                        && let Some(origin) = &mut put.origin
                    {
                        origin.stack.clone_from(&self.stack);
                    }
                }
                let what = match &action {
                    Action::Create { .. } | Action::Read { .. } => "creating",
                    Action::Update { .. } => "changing",
                    Action::Delete { .. } => "deleting",
                };
                self.say(now, &target, what, String::new());
                let running = Running::new(dialect, action, commands);
                self.running.insert(target.id, running);
            }
        }
    }

    /// The instance of another stack that is what an action would make or delete; says so when it is adopted.
    fn shared(&mut self, action: &Action) -> Option<Shared> {
        let target = action.target();
        let attributes = match action {
            Action::Create { planned, .. } => planned,
            Action::Delete { before, .. } => before,
            Action::Read { .. } | Action::Update { .. } => return None,
        };
        let holdings = &self.siblings.holdings;
        let shared = holdings.shared(&self.stack, &target.address, attributes)?;
        if matches!(action, Action::Create { .. }) && shared.odds.is_empty() {
            self.extra
                .push(adopted(&target.address, &shared, &target.spans));
        }
        Some(shared)
    }

    fn refuse(&mut self, target: &Target, mut diagnostics: Vec<Diagnostic>) {
        let last = diagnostics.pop().unwrap_or_else(|| {
            Diagnostic::error("Resource not accepted", target.address.to_string())
        });
        self.extra.extend(diagnostics);
        self.apply.fail(target.id, last);
    }

    /// Moves one action on. True when it moved.
    fn drive(&mut self, now: Instant, control: &mut Control, id: ActionId) -> bool {
        let Some(running) = self.running.get_mut(&id) else {
            return false;
        };
        if running
            .touched
            .iter()
            .any(|touched| control.estate.operation_on(touched).is_some())
        {
            return false;
        }
        if running.queue.is_empty() {
            return self.finish(now, control, id);
        }
        if waits_for_connections(&running.action) && self.deletes_connections() {
            return false;
        }
        let Some(running) = self.running.get_mut(&id) else {
            return false;
        };
        let Some(command) = running.queue.front() else {
            return false;
        };
        match control.submit(now, command) {
            Ok(written) => {
                running.touched = match command {
                    Command::Delete { id, .. } => {
                        running.leaving.push(id.clone());
                        vec![id.clone()]
                    }
                    Command::Put(_) | Command::Provider { .. } => written,
                };
                running.queue.pop_front();
                running.was_sent = true;
                if self.on_refusal == OnRefusal::NoteAndGoOn {
                    // Nobody watches a rehearsal: what this began is done before the next is tried, which
                    // would only be refused meanwhile.
                    control.advance(now);
                }
                true
            }
            Err(refusal) if refusal.retryable || matches!(command, Command::Delete { .. }) => {
                // The real clouds demand an order between them that Terraform's graph does not know: a
                // deletion that is refused waits until what stands in its way has gone.
                running.refused = Some(refusal);
                false
            }
            Err(refusal) => self.on_refusal(now, control, id, refusal),
        }
    }

    /// What would be put into something that is left out is left out with it.
    fn without_parts(&self, mapped: Mapped) -> Mapped {
        let Mapped::Commands(commands) = &mapped else {
            return mapped;
        };
        let within = commands.iter().find_map(|command| match command {
            Command::Put(put) => {
                let id = put.id.as_ref()?.as_str().to_ascii_lowercase();
                let mut wholes = self.left_out.iter();
                wholes.find(|whole| {
                    id.strip_prefix(whole.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))
                })
            }
            Command::Delete { .. } | Command::Provider { .. } => None,
        });
        match within {
            Some(whole) => {
                Mapped::NotModelled(format!("it is part of {whole}, which is not modelled"))
            }
            None => mapped,
        }
    }

    fn deletes_connections(&self) -> bool {
        self.running.values().any(|running| {
            matches!(&running.action, Action::Delete { target, .. }
                if target.address.ty == "azurerm_virtual_network_gateway_connection")
        })
    }

    fn on_refusal(
        &mut self,
        now: Instant,
        control: &mut Control,
        id: ActionId,
        refusal: Refusal,
    ) -> bool {
        let Some(running) = self.running.get_mut(&id) else {
            return false;
        };
        let Some(command) = running.queue.pop_front() else {
            return false;
        };
        if self.on_refusal == OnRefusal::NoteAndGoOn {
            let follows = match &command {
                Command::Put(put) => {
                    let follows = put.id.as_ref().is_some_and(|id| self.forced.contains(id));
                    let id = control.force(now, put);
                    self.forced.insert(id);
                    follows
                }
                Command::Delete { .. } | Command::Provider { .. } => false,
            };
            // What was refused once is not complained of again when something else changes it.
            if !follows {
                self.refusals.push((command, refusal));
            }
            return true;
        }
        let target = running.action.target().clone();
        self.running.remove(&id);
        self.say(now, &target, "failed", refusal.to_string());
        self.apply.fail(id, refused(&target, &refusal));
        self.refusals.push((command, refusal));
        true
    }

    /// All commands are through: complete when the cloud has settled.
    fn finish(&mut self, now: Instant, control: &Control, id: ActionId) -> bool {
        let Some(running) = self.running.get(&id) else {
            return false;
        };
        let target = running.action.target().clone();
        let ty = target.address.ty.as_str();
        let (attributes, what) = match &running.action {
            Action::Delete { .. } => (Value::null(), "deleted"),
            Action::Create { planned, .. } => (
                running
                    .dialect
                    .attributes(&control.estate, &self.stack, &target, planned),
                "created",
            ),
            Action::Update { after, .. } => (
                running
                    .dialect
                    .attributes(&control.estate, &self.stack, &target, after),
                "changed",
            ),
            Action::Read { config, .. } => (config.clone(), "read"),
        };
        let settled = if attributes.is_null() {
            running.left(&control.estate)
        } else {
            running.dialect.settled(&control.estate, ty, &attributes)
        };
        match settled {
            Settled::Ready => {}
            Settled::Pending if self.patience_ended => {}
            Settled::Pending => return false,
            Settled::Failed(why) => {
                let diagnostic =
                    Diagnostic::error(format!("{} failed", target.address), why.clone())
                        .at_opt(target.spans.find(""));
                self.running.remove(&id);
                self.say(now, &target, "failed", why);
                if self.on_refusal == OnRefusal::NoteAndGoOn {
                    self.failures.push(diagnostic.clone());
                }
                self.apply.fail_made(id, &attributes, diagnostic);
                return true;
            }
        }
        let was_sent = running.was_sent;
        self.running.remove(&id);
        if was_sent || attributes.is_null() {
            let detail = if attributes.is_null() {
                String::new()
            } else {
                detail(ty, &attributes)
            };
            self.say(now, &target, what, detail);
        }
        self.apply.complete(id, &attributes);
        true
    }
}

impl Running {
    fn new(dialect: Dialect, action: Action, commands: Vec<Command>) -> Self {
        Self {
            dialect,
            action,
            queue: commands.into(),
            touched: Vec::new(),
            leaving: Vec::new(),
            was_sent: false,
            refused: None,
        }
    }

    /// How a deletion that its cloud accepted ended: some end in failure with the resource still there
    /// (`data/deletions.csv`, accepted-then-failed).
    fn left(&self, estate: &Estate) -> Settled {
        let kept = (self.leaving.iter())
            .filter_map(|id| estate.resource(id))
            .find(|r| r.phase == Phase::Failed);
        kept.map_or(Settled::Ready, |resource| {
            let said = |field: &str| resource.computed.pointer(field)?.as_str();
            Settled::Failed(format!(
                "{} was not deleted: {}: {}",
                resource.label(),
                said("/error/code").unwrap_or("Failed"),
                said("/error/message").unwrap_or("the deletion ended in failure"),
            ))
        })
    }
}

/// Azure's connections go before the virtual circuit (interconnect facts §2, teardown order).
fn waits_for_connections(action: &Action) -> bool {
    matches!(action, Action::Delete { target, .. } if target.address.ty == "oci_core_virtual_circuit")
}

/// What is worth telling about a resource that has just been made.
fn detail(ty: &str, attributes: &Value) -> String {
    let text = |name: &str| attributes.str_attr(name).unwrap_or_default().to_owned();
    match ty {
        "azurerm_express_route_circuit" => format!("service key {}", text("service_key")),
        "oci_core_virtual_circuit" => text("state"),
        "azurerm_network_interface" => text("private_ip_address"),
        "oci_core_instance" => text("private_ip"),
        _ => String::new(),
    }
}

/// A refusal as a diagnostic at the resource.
/// The name in its cloud of what an action makes or changes.
fn action_identity(action: &Action) -> Option<String> {
    let attributes = match action {
        Action::Create { planned, .. } => planned,
        Action::Update { after, .. } => after,
        Action::Read { .. } | Action::Delete { .. } => return None,
    };
    crate::dialect::identity_here(&action.target().address.ty, attributes)
}

fn refused(target: &Target, refusal: &Refusal) -> Diagnostic {
    let mut diagnostic =
        Diagnostic::error(format!("{} refused", target.address), refusal.to_string())
            .at_opt(target.spans.find(""));
    if let Some(rule) = refusal.rule {
        diagnostic = diagnostic.rule(rule);
    }
    diagnostic
}
