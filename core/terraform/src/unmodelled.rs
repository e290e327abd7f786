//! Types that nobody models: their attributes become stand-ins, and they are named.

use std::collections::BTreeMap;

use skybridge_hcl::{Diagnostic, Spans};

use crate::address::{Address, Mode};
use crate::apply::{Apply, Phase};
use crate::config::Resource;
use crate::outcome::{Change, NotModelled, PlannedInstance};
use crate::placeholder::placeholder_attributes;
use crate::schema::Category;
use crate::stack::Stack;
use crate::walk::Instance;

impl Apply {
    pub(crate) fn not_modelled_instance(
        &mut self,
        stack: &Stack,
        instance: Instance,
        resource: &Resource,
    ) {
        let schema = stack
            .schemas
            .find(instance.address.mode, &instance.address.ty);
        let network = is_network(stack, instance.address.mode, &instance.address.ty);
        self.note_not_modelled(&instance.address, &instance.spans, network);
        let value = placeholder_attributes(schema, &instance.address, &instance.config);
        let (provider, _) = self.provider(stack, &instance.address, resource);
        if self.phase == Phase::Plan {
            let known = self.prior.instances.contains_key(&instance.address);
            let change = match (instance.address.mode, known) {
                (Mode::Data, _) => Change::Read,
                (Mode::Managed, true) => Change::None,
                (Mode::Managed, false) => Change::Create,
            };
            let planned = PlannedInstance {
                change,
                reason: None,
                before: (self.prior.instances.get(&instance.address)).map(|p| p.attributes.clone()),
                moved_from: self.moved.get(&instance.address).cloned(),
                create_first: false,
                attributes: value.clone(),
                changed: Vec::new(),
                replace: Vec::new(),
                spans: instance.spans,
                placeholder: true,
            };
            let origin = value.with_origin(instance.address.to_string());
            self.values
                .resources
                .insert(instance.address.clone(), origin);
            self.plan.insert(instance.address, planned);
        } else {
            let dependencies = instance.dependencies;
            self.record(
                &instance.address,
                value,
                provider,
                dependencies,
                instance.spans,
                true,
            );
        }
    }

    /// Notes a type that is not modelled; said once per type in the end.
    pub(crate) fn note_not_modelled(&mut self, address: &Address, spans: &Spans, network: bool) {
        let schema = self.stack.schemas.find(address.mode, &address.ty);
        let is_modelled = schema.is_some_and(|s| s.category == Category::Network);
        let entry = self
            .not_modelled
            .entry(address.ty.clone())
            .or_insert_with(|| NotModelled {
                ty: address.ty.clone(),
                network,
                is_look_up: address.mode == Mode::Data && is_modelled,
                instances: BTreeMap::new(),
            });
        entry.instances.insert(address.clone(), spans.clone());
    }

    /// Says which types are not modelled, once per type, and what else is worth a word before the
    /// first action.
    pub(crate) fn say_not_modelled(&mut self) {
        let mut said = Vec::new();
        for entry in self.not_modelled.values() {
            let first = entry.instances.iter().next();
            let span = first.and_then(|(_, s)| s.block.as_ref());
            let count = entry.instances.len();
            let diagnostic = if entry.network {
                let names: Vec<String> = entry
                    .instances
                    .iter()
                    .map(|(a, s)| {
                        s.block
                            .as_ref()
                            .map_or_else(|| a.to_string(), |b| format!("{a} ({b})"))
                    })
                    .collect();
                let (ty, names) = (&entry.ty, names.join(", "));
                if entry.is_look_up {
                    let detail = format!(
                        "{ty} looks for what your account has and nothing here has made: {names}; placeholders stand for it, and a verdict that needs it is unknown"
                    );
                    Diagnostic::warning("Looked up in vain", detail)
                        .rule("not-modelled")
                        .help("Bring up the directory that makes it first, or name it before this one: skybridge plan BASE DIR.")
                } else {
                    let detail = format!(
                        "{ty} is a network resource that Skybridge does not model: {names}; a verdict that needs it is unknown"
                    );
                    Diagnostic::warning("Not modelled", detail).rule("not-modelled")
                }
            } else {
                let detail = format!("{} is not network; {count} of it ignored", entry.ty);
                Diagnostic::notice("Ignored", detail).rule("ignored")
            };
            said.push(diagnostic.at_opt(span));
        }
        self.diagnostics.append(&mut said);
    }
}

/// Words in the names of Azure and OCI types that are about the network.
const NETWORK_WORDS: [&str; 28] = [
    "network",
    "subnet",
    "route",
    "vnet",
    "vcn",
    "vpn",
    "virtual_hub",
    "virtual_wan",
    "gateway",
    "firewall",
    "express_route",
    "peering",
    "public_ip",
    "nat",
    "dns",
    "private_endpoint",
    "private_link",
    "load_balancer",
    "_lb",
    "bastion",
    "drg",
    "ipsec",
    "cross_connect",
    "virtual_circuit",
    "security_list",
    "security_group",
    "vnic",
    "cpe",
];

/// Whether instances of a type may carry packets, or say how.
pub(crate) fn is_network(stack: &Stack, mode: Mode, ty: &str) -> bool {
    match stack.schemas.find(mode, ty).map(|s| s.category) {
        Some(category) => !matches!(category, Category::Other),
        None => looks_like_network(ty),
    }
}

/// Whether a type without a schema row looks like network by its name.
fn looks_like_network(ty: &str) -> bool {
    let cloud = ["azurerm_", "oci_", "azapi_", "aws_", "google_"];
    cloud.iter().any(|c| ty.starts_with(c)) && NETWORK_WORDS.iter().any(|w| ty.contains(w))
}
