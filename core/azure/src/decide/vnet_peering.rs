//! Peerings of virtual networks.

use skybridge_estate::{Refusal, Resource};

use super::put::{Outcome, Request};
use crate::doc::{Doc, overlap, prefix};
use crate::kinds;
use crate::rules::refuse;

const REMOTE: &str = "/properties/remoteVirtualNetwork/id";
const SPACE: &str = "/properties/addressSpace/addressPrefixes";

/// Checks one side of a peering. The other network may be of another subscription.
pub(super) fn peering(request: &Request<'_>) -> Result<Outcome, Refusal> {
    request.require(REMOTE)?;
    let named = request.doc.reference(REMOTE);
    let far = named.and_then(|id| request.estate.resource(&id));
    let far = far.filter(|r| r.kind.as_str() == kinds::VNET);
    let (Some(near), Some(far)) = (request.parent, far) else {
        return Ok(Outcome::default());
    };
    let ranges = |vnet: &Resource| -> Vec<_> {
        let doc = Doc::of(vnet);
        let space = doc.texts(SPACE);
        space.iter().filter_map(|(_, text)| prefix(text)).collect()
    };
    for a in ranges(near) {
        if let Some(b) = ranges(far).into_iter().find(|b| overlap(a, *b)) {
            let message = format!(
                "{a} of {} and {b} of {} overlap, so the networks cannot be peered",
                near.name, far.name
            );
            return Err(refuse("azure.peering-overlap", REMOTE, message));
        }
    }
    Ok(Outcome::default())
}
