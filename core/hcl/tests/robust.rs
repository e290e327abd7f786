//! Nothing that someone may write makes the parser or the evaluator panic or run away.

use std::collections::BTreeMap;

use proptest::prelude::*;
use skybridge_hcl::{NoFiles, Value, evaluate, function_names, parse_body, parse_expr, to_json};

fn scope() -> BTreeMap<String, Value> {
    BTreeMap::from([("x".to_owned(), Value::strings(["a", "b"]))])
}

fn try_text(text: &str) {
    if let Ok(expr) = parse_expr("p", text) {
        let first = evaluate(&expr, &scope(), &NoFiles);
        let second = evaluate(&expr, &scope(), &NoFiles);
        assert_eq!(first, second, "not deterministic: {text}");
        // What nests deeper than a state may cannot be stored: JSON readers stop at 128.
        if let Ok(value) = first.and_then(|v| {
            if v.depth() <= 32 {
                Ok(v)
            } else {
                Err(Vec::new())
            }
        }) {
            let stored = serde_json::to_string(&value).expect("a value can be stored");
            let back: Value = serde_json::from_str(&stored).expect("a stored value can be read");
            assert_eq!(back, value);
        }
    }
    drop(parse_body("p", text));
}

#[test]
fn deep_nesting_is_refused_and_not_overflown() {
    for (open, close) in [
        ("[", "]"),
        ("(", ")"),
        ("{a=", "}"),
        ("!", ""),
        ("-", ""),
        ("\"${", "}\""),
        ("upper(", ")"),
        ("x[", "]"),
        ("true ? 1 : ", ""),
    ] {
        for depth in [60, 65, 200, 5_000] {
            try_text(&format!("{}1{}", open.repeat(depth), close.repeat(depth)));
        }
    }
    for depth in [100, 129, 20_000] {
        try_text(&format!("1{}", " + 1".repeat(depth)));
        try_text(&format!("x{}", ".a".repeat(depth)));
        try_text(&format!("x{}", "[0]".repeat(depth)));
    }
    let blocks = format!("{}{}", "b {\n".repeat(3_000), "}\n".repeat(3_000));
    assert!(parse_body("p", &blocks).is_err());
}

#[test]
fn large_work_is_bounded() {
    for text in [
        "[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]",
        "pow(10, 5001)",
        "pow(99999999999999999999, 4096)",
        "format(\"%4096d%4096d\", 1, 1)",
        "1e5000 * 1e5000",
        "1e999999999999",
        "join(\"x\", [for a in range(1000) : join(\"y\", [for b in range(1000) : \"zzzzzzzzzzzzzzzzzzzzzzzzzzzz\"])])",
        "parseint(\"9\", 99999999999999)",
        "substr(\"abc\", 9223372036854775807, 9223372036854775807)",
        "chunklist([1], 9223372036854775807)",
        "cidrsubnet(\"::/0\", 128, 5)",
        "cidrhost(\"::/0\", -1)",
        "element([1], 1e300)",
        "timeadd(\"2017-11-22T00:00:00Z\", \"99999999999999h\")",
    ] {
        try_text(text);
    }
    assert!(
        evaluate(
            &parse_expr(
                "p",
                "[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]"
            )
            .unwrap(),
            &scope(),
            &NoFiles
        )
        .is_err()
    );
}

/// Small well-formed expressions.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"s\"".to_owned()),
        Just("\"10.0.0.0/8\"".to_owned()),
        Just("\"2017-11-22T00:00:00Z\"".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        (-9i32..9).prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(|n| format!("{n:e}")),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let names = function_names();
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(", "))),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|v| {
                let items: Vec<String> = v
                    .iter()
                    .enumerate()
                    .map(|(i, e)| format!("k{i} = {e}"))
                    .collect();
                format!("{{{}}}", items.join(", "))
            }),
            (
                prop::sample::select(names),
                prop::collection::vec(inner.clone(), 0..4)
            )
                .prop_map(|(f, v)| format!("{f}({})", v.join(", "))),
            (
                inner.clone(),
                prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "<", "&&", "||"]),
                inner.clone()
            )
                .prop_map(|(a, o, b)| format!("({a}) {o} ({b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(c, a, b)| format!("({c}) ? ({a}) : ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            inner.clone().prop_map(|a| format!("({a})[*].k0")),
            inner.clone().prop_map(|a| format!("[for k, v in {a} : v]")),
            inner.prop_map(|a| format!("\"<${{{a}}}>\"")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        try_text(&text);
    }

    #[test]
    fn any_text_of_language_pieces_is_read_or_refused(parts in prop::collection::vec(prop::sample::select(vec!["\"", "${", "}", "%{", "if", "for", "in", " ", "\n", "[", "]", "{", "=", ":", "x", "1", ".", "*", "...", "<<E\n", "E\n", "~", "?", "!", "-", "(", ")", ",", "\\"]), 0..40)) {
        try_text(&parts.concat());
    }

    #[test]
    fn any_expression_gives_a_value_or_errors(text in expression()) {
        try_text(&text);
        if let Ok(expr) = parse_expr("p", &text)
            && let Ok(value) = evaluate(&expr, &scope(), &NoFiles)
        {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&to_json(&value)).is_ok());
        }
    }
}
