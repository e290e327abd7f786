//! FastConnect virtual circuits, above all those of provider "Microsoft Azure".
//!
//! Life: `PENDING_PROVIDER` → the key is looked up; a key that no ExpressRoute circuit of provider Oracle
//! holds leaves it there for good → the provider begins, `PROVISIONING` → `PROVISIONED`, and Oracle, as
//! layer-3 provider, sets up Azure's private peering → `TERMINATING`, the provider deprovisions → gone.

use ipnet::IpNet;
use serde_json::{Value as Json, json};
use skybridge_catalogue::FastConnectService;
use skybridge_estate::{
    Estate, Operation, OperationKind, Phase, ProviderAction, Refusal, Resource, ResourceId,
};

use super::draft::Draft;
use super::legs::mappings;
use super::{set, with_phase};
use crate::durations::PROVIDER_WAIT;
use crate::model::VirtualCircuit;
use crate::providers;
use crate::wish::{Wish, invalid, touches};
use crate::{kinds, ocid};

/// Oracle's AS number in the commercial realm.
pub(crate) const ORACLE_ASN: u32 = 31898;
/// Microsoft's AS number on ExpressRoute.
pub(crate) const MICROSOFT_ASN: u32 = 12076;

/// Steps of the operation that provisions a circuit.
const LOOK_UP: u32 = 0;
const PROVISIONED: u32 = 1;
const GIVE_UP: u32 = 2;
/// Steps of the operation that takes it down.
const DEPROVISION: u32 = 0;

/// The ExpressRoute circuit that holds a service key.
#[must_use]
pub fn azure_circuit<'a>(estate: &'a Estate, service_key: &str) -> Option<&'a Resource> {
    estate
        .of_kind("Microsoft.Network/expressRouteCircuits")
        .find(|c| {
            c.text("/properties/serviceKey")
                .is_some_and(|k| k.eq_ignore_ascii_case(service_key))
        })
}

/// The rate of a circuit: the shape's, or the ExpressRoute circuit's when that is less ("effective rate
/// = the circuit", Oracle's page on Azure).
#[must_use]
pub fn effective_bandwidth_mbps(estate: &Estate, circuit: &VirtualCircuit) -> u32 {
    let azure = circuit.service_key.as_deref();
    let theirs = azure
        .and_then(|key| azure_circuit(estate, key))
        .and_then(|c| c.field("/properties/serviceProviderProperties/bandwidthInMbps"))
        .and_then(Json::as_u64)
        .and_then(|mbps| u32::try_from(mbps).ok());
    theirs.map_or(circuit.bandwidth_mbps, |t| t.min(circuit.bandwidth_mbps))
}

/// True when a key opens an ExpressRoute circuit of provider Oracle that nobody else has begun.
fn key_is_good(estate: &Estate, key: &str) -> bool {
    azure_circuit(estate, key).is_some_and(|c| {
        let provider = c.text("/properties/serviceProviderProperties/serviceProviderName");
        let state = c.text("/properties/serviceProviderProvisioningState");
        provider.is_some_and(|p| p.to_lowercase().starts_with("oracle"))
            && state.is_none_or(|s| s == "NotProvisioned")
            && c.is_usable()
    })
}

/// True for a circuit whose key the provider did not accept: it can be changed and deleted although
/// someone still waits for it.
pub(super) fn waits_in_vain(estate: &Estate, circuit: &Resource) -> bool {
    circuit.text("/lifecycleState") == Some("PENDING_PROVIDER")
        && estate
            .operation_on(&circuit.id)
            .is_none_or(|o| o.step == GIVE_UP)
}

/// Checks a circuit and computes what OCI fills in.
pub(super) fn circuit(draft: &Draft<'_>, wish: &Wish<'_>) -> Result<Json, Refusal> {
    wish.required("/type")?;
    let private = match wish.text("/type").filter(|_| !wish.is_unknown("/type")) {
        Some("PUBLIC") => false,
        Some("PRIVATE") | None => true,
        Some(other) => {
            let message = format!("type \"{other}\" is neither PRIVATE nor PUBLIC");
            return Err(invalid("oci.vc-type", "/type", message));
        }
    };
    let provider = provider(wish)?;
    if private {
        wish.required("/gatewayId").map_err(|r| Refusal {
            message: "a private virtual circuit needs a DRG: gatewayId is required".to_owned(),
            rule: Some("oci.vc-needs-drg"),
            ..r
        })?;
        wish.reference("/gatewayId", kinds::DRG)?;
    } else if wish.value("/gatewayId").is_some() {
        let message = "a public virtual circuit has no DRG".to_owned();
        return Err(invalid("oci.vc-public-drg", "/gatewayId", message));
    }
    let azure = provider.is_some_and(providers::is_azure);
    shape(wish, azure)?;
    numbers(wish, azure)?;
    let mappings = mappings(draft, wish, azure)?;
    let asn = if azure {
        json!(MICROSOFT_ASN)
    } else {
        number(wish, "/customerAsn")
            .or_else(|| number(wish, "/customerBgpAsn"))
            .into()
    };
    Ok(json!({
        "crossConnectMappings": mappings,
        "customerAsn": asn,
        "customerBgpAsn": asn,
        "oracleBgpAsn": ORACLE_ASN,
        "bgpManagement": "CUSTOMER_MANAGED",
        "bgpAdminState": wish.text("/bgpAdminState").unwrap_or("ENABLED"),
        "isBfdEnabled": wish.flag("/isBfdEnabled").unwrap_or(false),
        "ipMtu": format!("MTU_{}", mtu(wish.value("/ipMtu")).unwrap_or(1500)),
        "serviceType": if provider.is_some() { "LAYER2" } else { "COLOCATED" },
        "providerName": provider.map(|p| p.provider.as_str()),
        "providerServiceName": provider.map(|p| p.service.as_str()),
        "providerState": wish.existing.and_then(|e| e.text("/providerState")).unwrap_or("INACTIVE"),
    }))
}

/// The provider's service that the document names.
fn provider(wish: &Wish<'_>) -> Result<Option<&'static FastConnectService>, Refusal> {
    let pointer = "/providerServiceId";
    let Some(id) = wish.text(pointer).filter(|_| !wish.is_unknown(pointer)) else {
        return Ok(None);
    };
    // The OCIDs of the real services are not known here: a key that opens an ExpressRoute circuit says which.
    let by_key = || {
        let key = wish.text("/providerServiceKeyName")?;
        azure_circuit(wish.estate, key)?;
        (id.starts_with("ocid1.providerservice."))
            .then(providers::azure)
            .flatten()
    };
    let service = providers::by_id(id).or_else(by_key);
    service
        .map(Some)
        .ok_or_else(|| crate::wish::not_found(Some(pointer), id))
}

/// The bandwidth is a shape of the provider's service.
fn shape(wish: &Wish<'_>, azure: bool) -> Result<(), Refusal> {
    let pointer = "/bandwidthShapeName";
    if !azure && wish.value(pointer).is_none() {
        return Ok(());
    }
    wish.required(pointer)?;
    // Over a cross-connect of one's own there is no provider whose shapes could be listed.
    if wish.value("/providerServiceId").is_none() {
        return Ok(());
    }
    let Some(text) = wish.text(pointer).filter(|_| !wish.is_unknown(pointer)) else {
        return Ok(());
    };
    let steps = providers::bandwidths_mbps(azure);
    if shape_mbps(text).is_some_and(|mbps| steps.contains(&mbps)) {
        return Ok(());
    }
    let names: Vec<String> = steps.iter().map(|s| shape_name(*s)).collect();
    let message = format!(
        "\"{text}\" is not a bandwidth shape of this provider; it offers {}",
        names.join(", ")
    );
    Err(invalid("oci.vc-bandwidth-shape", pointer, message))
}

/// `10 Gbps` as Mbit/s.
pub(crate) fn shape_mbps(text: &str) -> Option<u32> {
    let (number, unit) = text.trim().split_once(' ')?;
    let number: u32 = number.parse().ok()?;
    match unit.trim() {
        "Gbps" => number.checked_mul(1000),
        "Mbps" => Some(number),
        _ => None,
    }
}

/// Mbit/s as a shape's name.
pub(crate) fn shape_name(mbps: u32) -> String {
    if mbps.is_multiple_of(1000) {
        format!("{} Gbps", mbps / 1000)
    } else {
        format!("{mbps} Mbps")
    }
}

/// `MTU_9000`, `9000` or the number, as 1500 or 9000.
pub(crate) fn mtu(value: Option<&Json>) -> Option<u16> {
    let value = value?;
    let text = match value.as_str() {
        Some(text) => text.strip_prefix("MTU_").unwrap_or(text).to_owned(),
        None => value.to_string(),
    };
    text.parse().ok().filter(|m| [1500, 9000].contains(m))
}

/// A number that a document has as number or text.
pub(super) fn number(wish: &Wish<'_>, pointer: &str) -> Option<u64> {
    if wish.is_unknown(pointer) {
        return None;
    }
    let value = wish.value(pointer)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// AS numbers that Oracle refuses: 65534 and those of the IANA special-purpose registry.
const fn is_reserved_asn(asn: u64) -> bool {
    matches!(asn, 0 | 23456 | 64496..=64511 | 65534..=65551 | 4_294_967_295) || asn > 4_294_967_295
}

/// The customer's AS number, the MTU and the administrative state.
fn numbers(wish: &Wish<'_>, azure: bool) -> Result<(), Refusal> {
    if !azure {
        for pointer in ["/customerAsn", "/customerBgpAsn"] {
            if let Some(asn) = number(wish, pointer).filter(|a| is_reserved_asn(*a)) {
                let message = format!("customer ASN {asn} is reserved");
                return Err(invalid("oci.vc-customer-asn", pointer, message));
            }
        }
    }
    if wish.value("/ipMtu").is_some()
        && !wish.is_unknown("/ipMtu")
        && mtu(wish.value("/ipMtu")).is_none()
    {
        let message = "ipMtu is neither MTU_1500 nor MTU_9000".to_owned();
        return Err(invalid("oci.vc-mtu", "/ipMtu", message));
    }
    let state = wish
        .text("/bgpAdminState")
        .filter(|_| !wish.is_unknown("/bgpAdminState"));
    if let Some(state) = state.filter(|s| !["ENABLED", "DISABLED"].contains(s)) {
        let message = format!("bgpAdminState \"{state}\" is neither ENABLED nor DISABLED");
        return Err(invalid("oci.vc-admin-state", "/bgpAdminState", message));
    }
    Ok(())
}

/// Where VLANs are unique: a FastConnect location, of which each region has one here.
pub(super) fn vlan_pool(circuit: &Resource) -> String {
    let region = circuit
        .text("/region")
        .or_else(|| ocid::region_of(circuit.id.as_str()));
    format!("fastconnect-vlan/{}", region.unwrap_or(ocid::HOME_REGION))
}

/// What a new circuit brings: its VLAN and, at its DRG, an attachment.
pub(super) fn add_attachment(draft: &mut Draft<'_>, circuit: &Resource, region: &str) {
    let Some(drg) = gateway(draft.estate, circuit) else {
        return;
    };
    draft.rest_on(drg);
    let id = draft.ocid("drgattachment", region);
    let table = drg.text("/defaultDrgRouteTables/virtualCircuit");
    let computed = json!({
        "networkDetails": { "type": "VIRTUAL_CIRCUIT", "id": circuit.id.as_str() },
        "drgRouteTableId": table,
    });
    let doc = json!({ "drgId": drg.id.as_str() });
    let name = format!("DRG Attachment for Virtual Circuit: {}", circuit.name);
    draft.insert_generated(kinds::DRG_ATTACHMENT, id, name, &drg.id, doc, computed);
    let ready = circuit.phase == Phase::Ready;
    if let Some(skybridge_estate::Write::Put(made)) = draft.txn.writes.last_mut().filter(|_| !ready)
    {
        **made = with_phase((**made).clone(), Phase::Creating);
    }
}

/// The DRG of a private circuit, when it is known.
fn gateway<'a>(estate: &'a Estate, circuit: &Resource) -> Option<&'a Resource> {
    if touches(&circuit.unknown, "/gatewayId") {
        return None;
    }
    let id = circuit.doc.get("gatewayId").and_then(Json::as_str)?;
    estate
        .resource(&ResourceId::from(id))
        .filter(|r| r.kind.as_str() == kinds::DRG)
}

/// The attachment of a circuit.
fn attachment<'a>(estate: &'a Estate, circuit: &Resource) -> Option<&'a Resource> {
    super::drg::attachment_of(estate, circuit.id.as_str())
}

/// A changed circuit: provisioned again when anything but its name or tags changed.
pub(super) fn update(draft: &mut Draft<'_>, before: &Resource, after: Resource) {
    let cosmetic = |doc: &Json| {
        let mut doc = doc.clone();
        if let Some(map) = doc.as_object_mut() {
            for name in [
                "displayName",
                "freeformTags",
                "definedTags",
                "compartmentId",
                "region",
            ] {
                map.remove(name);
            }
        }
        doc
    };
    if cosmetic(&before.doc) == cosmetic(&after.doc) {
        draft.insert(after);
        return;
    }
    if before.doc.get("gatewayId") != after.doc.get("gatewayId") {
        if let Some(old) = attachment(draft.estate, before) {
            draft.remove(&old.id);
        }
        let region = ocid::region_of(after.id.as_str())
            .unwrap_or(ocid::HOME_REGION)
            .to_owned();
        add_attachment(draft, &after, &region);
    }
    let mut after = after;
    if waits_in_vain(draft.estate, before) {
        if let Some(old) = draft.estate.operation_on(&before.id) {
            draft.end(old);
        }
        draft.begin(&after, OperationKind::Create);
    } else {
        after.phase = Phase::Updating;
        set(&mut after.computed, "lifecycleState", json!("PROVISIONING"));
        draft.begin(&after, OperationKind::Update);
    }
    draft.insert(after);
}

/// Begins to take a circuit down; its attachment goes along.
pub(super) fn terminate(draft: &mut Draft<'_>, circuit: &Resource) {
    if let Some(old) = draft.estate.operation_on(&circuit.id) {
        draft.end(old);
    }
    if let Some(attachment) = attachment(draft.estate, circuit) {
        draft.insert(with_phase(attachment.clone(), Phase::Deleting));
    }
    let leaving = with_phase(circuit.clone(), Phase::Deleting);
    // Azure is told soon, and the circuit is gone once the far side had time to clean up.
    let whole = draft.scaled(kinds::VIRTUAL_CIRCUIT, OperationKind::Delete);
    let due = draft.now + whole / 10;
    let kind = OperationKind::Delete;
    draft
        .estate
        .begin(&mut draft.txn, &leaving.id, super::PARTY, kind, due);
    draft.insert(leaving);
}

/// The due step of an operation on a circuit.
pub(super) fn step(draft: &mut Draft<'_>, operation: &Operation, circuit: &Resource) {
    match operation.kind {
        OperationKind::Create | OperationKind::Provider => match operation.step {
            LOOK_UP => look_up(draft, operation, circuit),
            PROVISIONED => {
                provisioned(draft, circuit);
                draft.end(operation);
            }
            _ => draft.end(operation),
        },
        OperationKind::Update => {
            provisioned(draft, circuit);
            draft.end(operation);
        }
        OperationKind::Delete if operation.step == DEPROVISION => {
            if circuit.text("/providerState") == Some("ACTIVE")
                && let Some(key) = circuit.text("/providerServiceKeyName")
            {
                draft.tell_provider(key, ProviderAction::Deprovision);
            }
            let mut circuit = circuit.clone();
            set(&mut circuit.computed, "providerState", json!("INACTIVE"));
            draft.insert(circuit);
            let whole = draft.scaled(kinds::VIRTUAL_CIRCUIT, OperationKind::Delete);
            draft.next(operation, DEPROVISION + 1, draft.now + (whole - whole / 10));
        }
        OperationKind::Delete => {
            if let Some(attachment) = attachment(draft.estate, circuit) {
                draft.remove(&attachment.id);
            }
            draft.remove(&circuit.id);
            draft.end(operation);
        }
    }
}

/// The provider looks at the key: it begins, or nothing ever happens.
fn look_up(draft: &mut Draft<'_>, operation: &Operation, circuit: &Resource) {
    let key = circuit
        .text("/providerServiceKeyName")
        .filter(|_| !touches(&circuit.unknown, "/providerServiceKeyName"));
    let azure = circuit.text("/providerName") == Some(providers::AZURE);
    if !azure {
        // A partner's side is played: it provisions what is ordered. Over an own cross-connect there is nobody to wait for.
        let due = draft.now + draft.scaled(kinds::VIRTUAL_CIRCUIT, OperationKind::Provider);
        draft.next(operation, PROVISIONED, due);
        return;
    }
    let good = key.filter(|k| azure && key_is_good(draft.estate, k));
    let Some(key) = good else {
        // The client waits this long in all before it gives up; the circuit stays as it is.
        let waited = draft.scaled(kinds::VIRTUAL_CIRCUIT, OperationKind::Create);
        let rest = draft
            .estate
            .pace()
            .scale(PROVIDER_WAIT)
            .saturating_sub(waited);
        draft.next(operation, GIVE_UP, draft.now + rest);
        return;
    };
    draft.tell_provider(key, ProviderAction::Begin);
    let mut circuit = circuit.clone();
    set(
        &mut circuit.computed,
        "lifecycleState",
        json!("PROVISIONING"),
    );
    set(&mut circuit.computed, "providerState", json!("ACTIVE"));
    let pool = vlan_pool(&circuit);
    let vlan = draft
        .estate
        .allocate(&mut draft.txn, &pool, circuit.id.as_str(), 100..=4094);
    if let Some(mappings) = circuit
        .computed
        .get_mut("crossConnectMappings")
        .and_then(Json::as_array_mut)
    {
        for mapping in mappings {
            set(mapping, "vlan", json!(vlan));
        }
    }
    draft.insert(circuit);
    let due = draft.now + draft.scaled(kinds::VIRTUAL_CIRCUIT, OperationKind::Provider);
    draft.next(operation, PROVISIONED, due);
}

/// The circuit works; Azure hears of its peering.
fn provisioned(draft: &mut Draft<'_>, circuit: &Resource) {
    let mut ready = with_phase(circuit.clone(), Phase::Ready);
    if circuit.text("/providerName") != Some(providers::AZURE) {
        set(&mut ready.computed, "providerState", json!("ACTIVE"));
    }
    if let Some(attachment) = attachment(draft.estate, circuit) {
        draft.insert(with_phase(attachment.clone(), Phase::Ready));
    }
    let azure = ready.text("/providerName") == Some(providers::AZURE);
    if let Some(key) = ready.text("/providerServiceKeyName").filter(|_| azure) {
        let peering = Some(peering(&ready));
        draft.tell_provider(key, ProviderAction::Provision { peering });
    }
    draft.insert(ready);
}

/// Azure's private peering as Oracle sets it up (ARM properties).
fn peering(circuit: &Resource) -> Json {
    let block = |i: usize| {
        ["customerBgpPeeringIp", "oracleBgpPeeringIp"]
            .iter()
            .filter_map(|f| circuit.text(&format!("/crossConnectMappings/{i}/{f}")))
            .find_map(|text| text.parse::<IpNet>().ok())
            .map(|net| net.trunc().to_string())
    };
    let mut peering = json!({
        "peeringType": "AzurePrivatePeering",
        "peerASN": ORACLE_ASN,
        "primaryPeerAddressPrefix": block(0),
        "secondaryPeerAddressPrefix": block(1),
        "vlanId": circuit.field("/crossConnectMappings/0/vlan"),
        "state": "Enabled",
    });
    let key = circuit.text("/crossConnectMappings/0/bgpMd5AuthKey");
    if let Some(key) = key.filter(|k| !k.is_empty()) {
        set(&mut peering, "sharedKey", json!(key));
    }
    peering
}
