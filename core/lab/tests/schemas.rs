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

/// What becomes of a type, in words.
fn meaning(mode: Mode, ty: &str, category: Category) -> &'static str {
    // Kept, so that what it may carry is unknown and not false; nothing else of it is modelled.
    const OPEN: [&str; 3] = [
        "oci_core_ipsec",
        "oci_core_ipsec_connection_tunnel_management",
        "oci_core_cpe",
    ];
    match (mode, category) {
        (Mode::Managed, Category::Network) if OPEN.contains(&ty) => "kept, unknown to verdicts",
        (Mode::Managed, Category::Network) => "modelled",
        (Mode::Data, Category::Network) => "read",
        (_, Category::NetworkNotModelled) => "named",
        (_, Category::Other) => "ignored",
        (_, Category::Builtin) => "built in",
    }
}

/// The table of what is understood, as `docs/terraform-types.md` has it.
fn coverage() -> String {
    let mut out = String::from(
        "# Types of azurerm and oci\n\n\
         What becomes of each type that has a schema row; made from the code by `core/lab/tests/schemas.rs` (with `REWRITE=1` it writes this file).\n\n\
         - *modelled*: becomes part of the network, with rules and packets. *read*: a look-up answered from the network and the catalogues.\n\
         - *kept, unknown to verdicts*: known by its address, and a verdict that may need it is unknown.\n\
         - *named*: reported as not modelled with file and line; its attributes are placeholders. *ignored*: not network.\n",
    );
    for (heading, mode) in [("Resources", Mode::Managed), ("Data sources", Mode::Data)] {
        for provider in ["azurerm", "oci"] {
            let mut rows: std::collections::BTreeMap<&str, Vec<String>> = [].into();
            let schemas = Schemas::builtin();
            let all = schemas
                .iter()
                .filter(|(m, ty, _)| *m == mode && ty.starts_with(&format!("{provider}_")));
            for (mode, ty, schema) in all {
                let name = ty.split_once('_').unwrap().1;
                rows.entry(meaning(mode, ty, schema.category))
                    .or_default()
                    .push(name.to_owned());
            }
            out.push_str(&format!("\n## {heading} of {provider}\n"));
            for (what, names) in rows {
                let count = names.len();
                out.push_str(&format!("\n**{what}** ({count}): {}.\n", names.join(", ")));
            }
        }
    }
    out
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the table is a file of the documents"
)]
fn the_table_of_types_is_that_of_the_code() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/terraform-types.md");
    let text = coverage();
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text);
}
