//! Machines that forward for others.

use ipnet::IpNet;
use skybridge_hcl::Value;
use skybridge_hcl::ast::Block;
use skybridge_terraform::Address;

use crate::arguments::{Arguments, Context, place, resource_of};
use crate::blocks::{flag, label};
use crate::model::Appliance;

/// What may forward.
const MACHINES: [&str; 4] = [
    "azurerm_linux_virtual_machine",
    "azurerm_windows_virtual_machine",
    "azurerm_virtual_machine",
    "oci_core_instance",
];
/// Its interface cards.
const CARDS: [&str; 2] = ["azurerm_network_interface", "oci_core_vnic_attachment"];

pub(crate) fn appliance(context: &mut Context<'_>, block: &Block) -> Option<Appliance> {
    let name = label(context, block);
    let arguments = Arguments::new(context, block, &["host", "stateful", "routes"]);
    let whole = arguments.required(context, "host");
    let host = arguments.parsed(context, "host", |v| resource_of(v, &MACHINES));
    let stateful = arguments.parsed(context, "stateful", flag);
    let routes = arguments.parsed(context, "routes", routes);
    Some(Appliance {
        name: name.filter(|_| whole)?,
        host: host?,
        stateful: stateful.unwrap_or(false),
        routes: routes.unwrap_or_default(),
        place: place(&block.span),
    })
}

/// `{ "10.2.0.0/16" = azurerm_network_interface.inside }`
fn routes(value: &Value) -> Result<Vec<(IpNet, Address)>, String> {
    let expected = || {
        "an object of prefixes is expected, such as { \"10.2.0.0/16\" = azurerm_network_interface.inside }"
            .to_owned()
    };
    let mut routes = Vec::new();
    for (prefix, card) in value.as_map().ok_or_else(expected)? {
        let prefix = prefix
            .parse::<IpNet>()
            .map_err(|_| format!("\"{prefix}\" is not a prefix, such as \"10.2.0.0/16\""))?;
        routes.push((prefix.trunc(), resource_of(card, &CARDS)?));
    }
    Ok(routes)
}
