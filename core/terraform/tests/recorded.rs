//! What Terraform itself makes of expressions (`recorded/record.sh` with Terraform 1.11.4), and what we do.

use std::collections::BTreeMap;

use skybridge_hcl::{MemoryFiles, Value, evaluate, parse_expr, to_json};

const EXPRESSIONS: &str = include_str!("recorded/expressions.txt");
const TERRAFORM: &str = include_str!("recorded/terraform.txt");

/// Where we differ on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("1 / 3", "decimal digits, where Terraform has binary ones"),
    (
        "tostring(1/3)",
        "decimal digits, where Terraform has binary ones",
    ),
    (
        "false && null",
        "a side that decides alone, as of Terraform 1.12",
    ),
    (
        "true || null",
        "a side that decides alone, as of Terraform 1.12",
    ),
    (
        "format(\"%s\", null)",
        "Terraform makes an unknown of an untyped null",
    ),
    (
        "format(\"%v\", null)",
        "Terraform makes an unknown of an untyped null",
    ),
    (
        "element([\"a\", \"b\", \"c\"], -1)",
        "later versions count from the end",
    ),
    (
        "templatestring(\"x\", {})",
        "a text that is written out is as good as a named one",
    ),
];

fn ours(expr: &str) -> String {
    let nothing: BTreeMap<String, Value> = BTreeMap::new();
    let found = parse_expr("recorded", expr)
        .and_then(|expr| evaluate(&expr, &nothing, &MemoryFiles::new()));
    match found {
        Ok(value) if value.is_wholly_known() => to_json(&Value::tuple(vec![value])),
        Ok(_) => "unknown".to_owned(),
        Err(_) => "error".to_owned(),
    }
}

#[test]
fn expressions_give_what_terraform_gives() {
    let theirs: Vec<&str> = TERRAFORM.lines().skip(1).collect();
    let expressions: Vec<&str> = EXPRESSIONS.lines().collect();
    assert_eq!(theirs.len(), expressions.len(), "record again");
    let mut wrong = Vec::new();
    for (expr, theirs) in expressions.iter().zip(theirs) {
        let ours = ours(expr);
        let known = DIFFERENT.iter().any(|(e, _)| e == expr);
        if (ours == theirs) == known {
            wrong.push(format!(
                "{expr}\n  terraform: {theirs}\n  ours:      {ours}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        expressions.len(),
        wrong.join("\n")
    );
}
