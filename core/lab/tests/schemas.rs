//! The schemas' word on what is modelled is that of the clouds' dialects.
#![allow(clippy::unwrap_used, reason = "a test may")]

use skybridge_azure::terraform as azure;
use skybridge_oci::terraform as oci;
use skybridge_terraform::schema::Category;
use skybridge_terraform::{Mode, Schemas};

#[test]
fn a_type_is_marked_as_modelled_exactly_when_a_dialect_takes_it() {
    let mut at_odds = Vec::new();
    for (mode, ty, schema) in Schemas::builtin().iter() {
        if !azure::owns(ty) && !oci::owns(ty) {
            continue;
        }
        let taken = match mode {
            Mode::Managed => azure::is_modelled(ty) || oci::is_modelled(ty),
            Mode::Data => azure::is_read(ty) || oci::is_read(ty),
        };
        if taken != (schema.category == Category::Network) {
            at_odds.push(format!(
                "{mode:?} {ty}: dialect {taken}, {:?}",
                schema.category
            ));
        }
    }
    assert!(at_odds.is_empty(), "{at_odds:#?}");
}
