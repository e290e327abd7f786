//! Every row of `data/deletions.csv` that is Azure's.

use serde_json::json;
use skybridge_catalogue::{DeletionOutcome, catalogue};
use skybridge_estate::{Pace, Phase, ProviderAction};

use super::{hops, wan};
use crate::kinds::{
    AUTHORIZATION, CIRCUIT, CONNECTION, GATEWAY, MACHINE, NIC, NSG, PEERING, PUBLIC_IP,
    ROUTE_TABLE, SUBNET, VNET,
};
use crate::testing::{Owner, circuit, nic, reference};

/// Brings about `condition` for a resource of `kind` and tells its name; `None` for a row that nobody
/// has written a scenario for.
fn bring_about(o: &mut Owner, kind: &str, condition: &str) -> Option<&'static [&'static str]> {
    let app = ["hub", "app"];
    let location = json!({"location": "eastus"});
    match (kind, condition) {
        (VNET, "subnet-in-use") | (SUBNET, "in-use") => {
            o.hub();
            o.make(NIC, &["n"], nic(&app));
        }
        (VNET | SUBNET, "idle") => o.hub(),
        (NSG | ROUTE_TABLE, "idle") => o.make(kind, &["x"], location),
        (NSG | ROUTE_TABLE, "associated") => {
            o.hub();
            o.make(kind, &["x"], location);
            let property = if kind == NSG {
                "networkSecurityGroup"
            } else {
                "routeTable"
            };
            let mut doc = json!({"properties": {"addressPrefix": "10.1.1.0/24"}});
            doc["properties"][property] = reference(kind, &["X"]);
            o.make(SUBNET, &app, doc);
        }
        (NIC, "idle" | "attached") => {
            o.hub();
            o.make(NIC, &["x"], nic(&app));
            let interface = reference(NIC, &["x"]);
            let profile = json!({"networkProfile": {"networkInterfaces": [interface]}});
            if condition == "attached" {
                o.make(MACHINE, &["vm"], json!({"properties": profile}));
            }
        }
        (PUBLIC_IP, "idle" | "in-use") => {
            o.hub();
            o.make(PUBLIC_IP, &["x"], location);
            let mut doc = nic(&app);
            let config = "/properties/ipConfigurations/0/properties";
            doc.pointer_mut(config)?["publicIPAddress"] = reference(PUBLIC_IP, &["x"]);
            if condition == "in-use" {
                o.make(NIC, &["n"], doc);
            }
        }
        (GATEWAY, "idle" | "has-connections") => {
            o.hub();
            o.gateway("Standard");
            o.oracle_circuit();
            if condition == "has-connections" {
                o.connection();
            }
            return Some(&["gw"]);
        }
        (CONNECTION, "any") | (CIRCUIT | PEERING, "has-connections") => {
            o.hub();
            o.gateway("Standard");
            o.oracle_circuit();
            o.connection();
        }
        (CIRCUIT, "provider-provisioned") | (PEERING, "idle") => o.oracle_circuit(),
        (CIRCUIT, "not-provisioned" | "provider-provisioning") => {
            o.make(CIRCUIT, &["er"], circuit("Oracle Cloud FastConnect"));
            let key = o.text(CIRCUIT, &["er"], "serviceKey");
            if condition == "provider-provisioning" {
                o.provider(&key, ProviderAction::Begin).unwrap();
            }
        }
        (AUTHORIZATION, "any") => {
            o.oracle_circuit();
            o.make(AUTHORIZATION, &["er", "x"], json!({}));
        }
        (MACHINE, "any") => o.make(MACHINE, &["x"], json!({})),
        _ => {
            let of_hops = hops::bring_about(o, kind, condition);
            return of_hops.or_else(|| wan::bring_about(o, kind, condition));
        }
    }
    Some(match kind {
        VNET => &["hub"],
        SUBNET => &["hub", "app"],
        CIRCUIT => &["er"],
        PEERING => &["er", "AzurePrivatePeering"],
        AUTHORIZATION => &["er", "x"],
        CONNECTION => &["link"],
        _ => &["x"],
    })
}

#[test]
fn every_deletion_does_what_its_row_says() {
    let rows = catalogue().deletions.iter();
    let mut exercised = 0;
    for row in rows.filter(|r| r.kind.starts_with("Microsoft.")) {
        let what = format!("{} {}", row.kind, row.condition);
        let mut o = Owner::new(Pace::Compressed);
        let names = bring_about(&mut o, &row.kind, &row.condition);
        let names = names.unwrap_or_else(|| panic!("{what}: no scenario"));
        let answer = o.delete(&row.kind, names);
        match &row.outcome {
            DeletionOutcome::Refused { code, status } => {
                let refusal = answer.unwrap_err();
                assert_eq!(
                    (refusal.code, refusal.status),
                    (code.as_str(), *status),
                    "{what}"
                );
                assert_eq!(refusal.rule, Some("azure.deletion-order"));
                assert!(!refusal.retryable);
                assert_eq!(o.get(&row.kind, names).phase, Phase::Ready);
            }
            DeletionOutcome::AcceptedThenFailed => {
                answer.unwrap();
                assert_eq!(o.get(&row.kind, names).phase, Phase::Deleting, "{what}");
                o.settle();
                let left = o.get(&row.kind, names);
                assert_eq!(left.phase, Phase::Failed, "{what}");
                assert_eq!(left.computed["error"]["code"], "ConflictError");
            }
            DeletionOutcome::Allowed => {
                answer.unwrap();
                assert_eq!(o.get(&row.kind, names).phase, Phase::Deleting, "{what}");
                o.settle();
                assert!(!o.exists(&row.kind, names), "{what}");
            }
        }
        exercised += 1;
    }
    assert_eq!(exercised, 47);
}

#[test]
fn what_is_nested_goes_along_and_deleting_nothing_is_no_error() {
    let mut o = Owner::new(Pace::Instant);
    o.hub();
    o.delete(VNET, &["HUB"]).unwrap();
    o.settle();
    assert_eq!(o.estate.resources().count(), 0);
    o.delete(VNET, &["hub"]).unwrap();
    assert!(!o.advance());
}

#[test]
fn a_circuit_whose_deletion_failed_can_be_deleted_once_the_provider_let_go() {
    let mut o = Owner::new(Pace::Realistic);
    o.oracle_circuit();
    let key = o.text(CIRCUIT, &["er"], "serviceKey");
    o.delete(CIRCUIT, &["er"]).unwrap();
    o.settle();
    assert_eq!(o.text(CIRCUIT, &["er"], "provisioningState"), "Failed");
    o.provider(&key, ProviderAction::Deprovision).unwrap();
    // Too early: the state follows the peering by a minute, the deletion takes half of one.
    o.delete(CIRCUIT, &["er"]).unwrap();
    o.settle();
    assert_eq!(o.get(CIRCUIT, &["er"]).phase, Phase::Failed);
    let state = o.text(CIRCUIT, &["er"], "serviceProviderProvisioningState");
    assert_eq!(state, "NotProvisioned");
    o.delete(CIRCUIT, &["er"]).unwrap();
    o.settle();
    assert!(!o.exists(CIRCUIT, &["er"]));
}

#[test]
fn what_waits_for_another_deletion_passes_later() {
    let mut o = Owner::new(Pace::Realistic);
    o.hub();
    o.make(NIC, &["n"], nic(&["hub", "app"]));
    o.delete(NIC, &["n"]).unwrap();
    let refusal = o.delete(SUBNET, &["hub", "app"]).unwrap_err();
    assert!(refusal.retryable, "{refusal}");
    o.settle();
    o.delete(SUBNET, &["hub", "app"]).unwrap();
}

#[test]
fn a_provider_that_plays_itself_lets_go_by_itself_and_one_played_by_hand_does_not() {
    let mut o = Owner::new(Pace::Realistic);
    let mut by_hand = circuit("Equinix");
    by_hand["tags"] = json!({"skybridge-provider": "manual"});
    o.make(CIRCUIT, &["hand"], by_hand);
    let key = o.text(CIRCUIT, &["hand"], "serviceKey");
    o.provider(&key, ProviderAction::Provision { peering: None })
        .unwrap();
    o.make(CIRCUIT, &["auto"], circuit("Equinix"));
    let state = o.text(CIRCUIT, &["auto"], "serviceProviderProvisioningState");
    assert_eq!(state, "Provisioned");
    for name in ["hand", "auto"] {
        o.delete(CIRCUIT, &[name]).unwrap();
        o.settle();
    }
    assert_eq!(o.get(CIRCUIT, &["hand"]).phase, Phase::Failed);
    assert!(!o.exists(CIRCUIT, &["auto"]));
    // A provider does not begin on a circuit that is on its way out.
    o.put(CIRCUIT, &["brief"], circuit("Equinix")).unwrap();
    assert!(o.advance());
    assert_eq!(o.get(CIRCUIT, &["brief"]).phase, Phase::Ready);
    o.delete(CIRCUIT, &["brief"]).unwrap();
    o.settle();
    assert!(!o.exists(CIRCUIT, &["brief"]));
}
