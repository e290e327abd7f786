//! The table of clauses names tests that exist, one for each clause at least.

const TABLE: &str = include_str!("../../../docs/conformance/terraform-language.md");

/// Test files by the name that the table gives them.
const FILES: [(&str, &str); 13] = [
    (
        "hcl/language.rs",
        include_str!("../../hcl/tests/language.rs"),
    ),
    (
        "hcl/functions.rs",
        include_str!("../../hcl/tests/functions.rs"),
    ),
    ("hcl/robust.rs", include_str!("../../hcl/tests/robust.rs")),
    (
        "hcl/syntax_errors.rs",
        include_str!("../../hcl/tests/syntax_errors.rs"),
    ),
    (
        "lab/terraform.rs",
        include_str!("../../lab/tests/terraform.rs"),
    ),
    ("terraform/apply.rs", include_str!("apply.rs")),
    ("terraform/config.rs", include_str!("config.rs")),
    ("terraform/documents.rs", include_str!("documents.rs")),
    ("terraform/laws.rs", include_str!("laws.rs")),
    ("terraform/opentofu.rs", include_str!("opentofu.rs")),
    ("terraform/recorded.rs", include_str!("recorded.rs")),
    ("terraform/show.rs", include_str!("show.rs")),
    ("terraform/syntax.rs", include_str!("syntax.rs")),
];

#[test]
fn every_clause_has_a_test_that_exists() {
    let rows = TABLE
        .lines()
        .filter(|l| l.starts_with("| ") && !l.starts_with("| clause"));
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [clause, test] = cells.as_slice() else {
            panic!("not two cells: {row}");
        };
        let test = match *test {
            "directories" => {
                "lab/terraform.rs::directories_are_planned_and_applied_as_terraform_does"
            }
            "recorded" => "terraform/recorded.rs::expressions_give_what_terraform_gives",
            other => other,
        };
        let (file, name) = test
            .split_once("::")
            .unwrap_or_else(|| panic!("{clause}: no test"));
        let (_, text) = FILES
            .iter()
            .find(|(f, _)| *f == file)
            .unwrap_or_else(|| panic!("{clause}: no file {file}"));
        let declared = format!("#[test]\nfn {name}()");
        assert!(
            text.contains(&declared),
            "{clause}: no test {name} in {file}"
        );
        count += 1;
    }
    assert!(count > 50, "the table was read");
}
