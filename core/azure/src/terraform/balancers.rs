//! Load balancers and their parts.

use super::build::Made;
use super::types::{Row, common};
use crate::kinds;

const PARENT: Option<&str> = Some("loadbalancer_id");
const NAME: &[&str] = &["name"];

pub(super) const ROWS: [Row; 5] = [
    Row {
        ty: "azurerm_lb",
        kind: kinds::BALANCER,
        parent: None,
        names: NAME,
        build: balancer,
    },
    Row {
        ty: "azurerm_lb_backend_address_pool",
        kind: kinds::POOL,
        parent: PARENT,
        names: NAME,
        build: pool,
    },
    Row {
        ty: "azurerm_lb_backend_address_pool_address",
        kind: kinds::POOL_ADDRESS,
        parent: Some("backend_address_pool_id"),
        names: NAME,
        build: pool_address,
    },
    Row {
        ty: "azurerm_lb_probe",
        kind: kinds::PROBE,
        parent: PARENT,
        names: NAME,
        build: probe,
    },
    Row {
        ty: "azurerm_lb_rule",
        kind: kinds::BALANCING_RULE,
        parent: PARENT,
        names: NAME,
        build: rule,
    },
];

fn balancer(made: &mut Made<'_>) {
    common(made);
    made.value("sku", "/sku/name");
    for i in 0..made.blocks("frontend_ip_configuration") {
        let from = |a: &str| format!("frontend_ip_configuration[{i}].{a}");
        let to = format!("/properties/frontendIPConfigurations/{i}");
        made.value(&from("name"), &format!("{to}/name"));
        for (argument, field) in [
            ("subnet_id", "subnet/id"),
            ("public_ip_address_id", "publicIPAddress/id"),
            ("private_ip_address_allocation", "privateIPAllocationMethod"),
        ] {
            made.value(&from(argument), &format!("{to}/properties/{field}"));
        }
        let method = made.config.at(&from("private_ip_address_allocation"));
        let method = method
            .and_then(skybridge_hcl::Value::as_str)
            .unwrap_or_default();
        // A dynamic address is the cloud's to choose, also when the last one is repeated here.
        if method.eq_ignore_ascii_case("Static") {
            let field = format!("{to}/properties/privateIPAddress");
            made.value(&from("private_ip_address"), &field);
        }
    }
}

fn pool(made: &mut Made<'_>) {
    made.value("virtual_network_id", "/properties/virtualNetwork/id");
}

fn pool_address(made: &mut Made<'_>) {
    made.value("virtual_network_id", "/properties/virtualNetwork/id");
    made.value("ip_address", "/properties/ipAddress");
}

fn probe(made: &mut Made<'_>) {
    for (argument, field) in [
        ("protocol", "protocol"),
        ("port", "port"),
        ("request_path", "requestPath"),
        ("interval_in_seconds", "intervalInSeconds"),
        ("number_of_probes", "numberOfProbes"),
    ] {
        made.value(argument, &format!("/properties/{field}"));
    }
}

fn rule(made: &mut Made<'_>) {
    for (argument, field) in [
        (
            "frontend_ip_configuration_name",
            "frontendIPConfigurationName",
        ),
        ("protocol", "protocol"),
        ("frontend_port", "frontendPort"),
        ("backend_port", "backendPort"),
        ("probe_id", "probe/id"),
        ("load_distribution", "loadDistribution"),
        ("enable_floating_ip", "enableFloatingIP"),
        ("floating_ip_enabled", "enableFloatingIP"),
    ] {
        made.value(argument, &format!("/properties/{field}"));
    }
    let pools = "/properties/backendAddressPools";
    made.references("backend_address_pool_ids", pools);
    if made.blocks("backend_address_pool_ids") == 0 {
        made.value("backend_address_pool_id", &format!("{pools}/0/id"));
    }
}
