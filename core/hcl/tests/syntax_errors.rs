//! What is said about sources that cannot be read.

use skybridge_hcl::{Diagnostic, parse_body};

fn said(text: &str) -> Diagnostic {
    let Err(mut errors) = parse_body("main.tf", text) else {
        panic!("it was read: {text}");
    };
    errors.remove(0)
}

#[test]
fn syntax_errors_say_what_to_do() {
    for (text, line, help) in [
        (
            "resource \"a\" \"b\" { lifecycle { x = true } }",
            1,
            "put \"lifecycle\" on lines of its own inside \"resource\"",
        ),
        (
            "variable \"x\" { default = 1, type = number }",
            1,
            "put each argument of \"variable\" on a line of its own",
        ),
        (
            "a = {\n  b = 1 c = 2\n}",
            2,
            "items of an object are separated",
        ),
        ("x {\n  input \"x\"\n}", 2, "write input = \"x\""),
        (
            "\nx {\n  input = 1\n",
            2,
            "begins at line 2 is not closed: a }",
        ),
        ("a = [1, 2\n3]", 2, "Elements are separated by commas"),
        ("a = 'x'", 1, "double quotes"),
        ("x {\n  a = \"x\n}", 2, "not closed on its line"),
        ("a = 1\n}\n", 2, "one more of it than was opened"),
        ("x {\n  a: 1\n}", 2, "a = …"),
        ("a = 1 +\nb = 2", 1, "A value is missing"),
        ("a = true\n  ? 1\n  : 2", 2, "only within parentheses"),
        ("x { a = 1; b = 2 }", 1, "there is no semicolon"),
        ("a = \"%{ if true }x\"", 1, "needs an %{ endif }"),
        ("a = \"%{ foo }\"", 1, "\"foo\" is no directive"),
        ("a = \"%{ endif }\"", 1, "ends nothing"),
        ("a = <<-\"EOT\"\n  x\n  EOT\n", 1, "without quotes"),
        ("a = \"\\x\"", 1, "a plain backslash is written twice"),
    ] {
        let found = said(text);
        let place = found.span.as_ref().map(|s| s.line);
        assert_eq!(place, Some(line), "{text}: {found}");
        let given = found.help.as_deref().unwrap_or_default();
        assert!(given.contains(help), "{text}: {found}");
    }
}
