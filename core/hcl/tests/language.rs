//! The language: expressions with the value, or the error, that the HCL and Terraform
//! documentation give them.

use std::collections::BTreeMap;

use skybridge_hcl::{
    Diagnostic, Kind, MemoryFiles, NoFiles, Type, Value, convert, evaluate, parse_body, parse_expr,
    parse_template, to_json, type_constraint, unify,
};

fn scope() -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("u".to_owned(), Value::unknown(Type::String)),
        ("dyn".to_owned(), Value::unknown(Type::Dynamic)),
        ("ub".to_owned(), Value::unknown(Type::Bool)),
        ("un".to_owned(), Value::unknown(Type::Number)),
        ("ul".to_owned(), Value::unknown(Type::list(Type::String))),
        ("secret".to_owned(), Value::string("s3").sensitive()),
        (
            "stand_in".to_owned(),
            Value::string("p").placeholder("x.y.z"),
        ),
        ("list".to_owned(), Value::strings(["a", "b", "c"])),
        (
            "set".to_owned(),
            Value::set(Type::String, vec![Value::string("b"), Value::string("a")]),
        ),
        (
            "map".to_owned(),
            Value::map(
                Type::Number,
                BTreeMap::from([
                    ("x".to_owned(), Value::number(1)),
                    ("y".to_owned(), Value::number(2)),
                ]),
            ),
        ),
        (
            "objects".to_owned(),
            Value::tuple(vec![
                Value::object_of([("id", Value::string("1")), ("tags", Value::strings(["q"]))]),
                Value::object_of([
                    ("id", Value::string("2")),
                    ("tags", Value::strings(["r", "s"])),
                ]),
            ]),
        ),
        ("nothing".to_owned(), Value::null()),
        (
            "stand_in_map".to_owned(),
            Value::map(Type::String, BTreeMap::new()).placeholder("x.y.map"),
        ),
    ])
}

fn run(text: &str) -> Result<Value, Vec<Diagnostic>> {
    let expr = parse_expr("test.tf", text)?;
    evaluate(&expr, &scope(), &NoFiles)
}

fn value(text: &str) -> Value {
    run(text).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

/// Expression and the JSON of its value.
fn table(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        let found = value(text);
        assert!(found.is_wholly_known(), "{text} is unknown");
        assert_eq!(to_json(&found), *expected, "{text}");
    }
}

/// Expression and a part of its error.
fn errors(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        let found = run(text).expect_err(text);
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(
            said.iter().any(|s| s.contains(expected)),
            "{text}: {said:?}"
        );
        assert!(found.iter().all(|d| d.span.is_some()), "{text}: no place");
    }
}

#[test]
fn arithmetic_is_decimal_and_follows_precedence() {
    table(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("0.1 + 0.2", "0.3"),
        ("7 / 2", "3.5"),
        ("7 % 3", "1"),
        ("-7 % 3", "-1"),
        ("2 - 3 - 4", "-5"),
        ("-(3)", "-3"),
        ("1e3", "1000"),
        (
            "12345678901234567890123456789",
            "12345678901234567890123456789",
        ),
        ("\"4\" + 1", "5"),
        ("1.50", "1.5"),
    ]);
    errors(&[
        ("1 / 0", "Division by zero"),
        ("1 % 0", "Division by zero"),
        ("\"x\" + 1", "a number is required"),
        ("nothing + 1", "is null"),
        ("true + 1", "number required"),
    ]);
}

#[test]
fn comparisons_do_not_convert_and_logic_stops_when_it_is_decided() {
    table(&[
        ("1 == 1.0", "true"),
        ("1 == \"1\"", "false"),
        ("[1, 2] == [1, 2]", "true"),
        ("{a = 1} == {a = 1}", "true"),
        ("{a = 1} == {b = 1}", "false"),
        ("nothing == null", "true"),
        ("\"a\" != \"b\"", "true"),
        ("2 > 1 && 1 >= 1 && 1 < 2 && 1 <= 1", "true"),
        ("!true", "false"),
        ("true || nothing.x", "true"),
        ("false && list[9] == \"\"", "false"),
        ("1 + 1 == 2 && true || false", "true"),
        ("\"true\" && true", "true"),
    ]);
    errors(&[
        ("!\"x\"", "a bool is required"),
        ("null && true", "is null"),
    ]);
}

#[test]
fn conditionals_choose_and_unify_their_sides() {
    table(&[
        ("true ? 1 : 2", "1"),
        ("false ? 1 : \"x\"", "\"x\""),
        ("true ? 1 : \"x\"", "\"1\""),
        ("true ? [] : [1, 2]", "[]"),
        ("true ? {a = \"x\"} : {}", "{\"a\":\"x\"}"),
        ("true ? null : 1", "null"),
        ("true ? 1 : list[9]", "1"),
        ("true ? list : set", "[\"a\",\"b\",\"c\"]"),
    ]);
    errors(&[
        ("true ? 1 : true", "Inconsistent conditional result types"),
        ("nothing ? 1 : 2", "Null condition"),
        ("\"x\" ? 1 : 2", "Incorrect condition type"),
        ("false ? 1 : list[9]", "Invalid index"),
    ]);
}

#[test]
fn templates_interpolate_strip_and_loop() {
    table(&[
        ("\"a${1 + 1}b\"", "\"a2b\""),
        ("\"${list}\"", "[\"a\",\"b\",\"c\"]"),
        ("\"${true}\"", "true"),
        ("\"x${true}\"", "\"xtrue\""),
        ("\"$${x} %%{y}\"", "\"${x} %{y}\""),
        (r#""a\tb\"\\A\n""#, "\"a\\tb\\\"\\\\A\\n\""),
        ("\"%{ if true }yes%{ else }no%{ endif }\"", "\"yes\""),
        ("\"%{ if false }yes%{ endif }\"", "\"\""),
        ("\"%{ for x in list }(${x})%{ endfor }\"", "\"(a)(b)(c)\""),
        ("\"%{ for i, x in list }${i}${x}%{ endfor }\"", "\"0a1b2c\""),
        ("\"a  ${~ \"b\" ~}  c\"", "\"abc\""),
        ("\"x %{~ if true ~} y %{~ endif ~} z\"", "\"xyz\""),
        ("<<EOT\na\n  b ${1}\nEOT", "\"a\\n  b 1\\n\""),
        ("<<-EOT\n    a\n      b\n    EOT", "\"a\\n  b\\n\""),
        ("<<EOT\nEOT", "\"\""),
    ]);
    errors(&[
        ("\"x${list}\"", "cannot include the given value in a string"),
        ("\"x${nothing}\"", "null cannot be part"),
    ]);
}

#[test]
fn for_expressions_filter_and_group() {
    table(&[
        ("[for x in list : upper(x)]", "[\"A\",\"B\",\"C\"]"),
        (
            "[for i, x in list : \"${i}${x}\" if i > 0]",
            "[\"1b\",\"2c\"]",
        ),
        ("{for k, v in map : k => v * 10}", "{\"x\":10,\"y\":20}"),
        (
            "{for x in [\"ab\", \"ac\", \"b\"] : substr(x, 0, 1) => x...}",
            "{\"a\":[\"ab\",\"ac\"],\"b\":[\"b\"]}",
        ),
        ("[for k, v in set : k]", "[\"a\",\"b\"]"),
        (
            "[for x in [for y in list : [y, y]] : x[0]]",
            "[\"a\",\"b\",\"c\"]",
        ),
        (
            "{for o in objects : o.id => o.tags[*]}",
            "{\"1\":[\"q\"],\"2\":[\"r\",\"s\"]}",
        ),
    ]);
    errors(&[
        ("{for x in [1, 1] : x => x}", "Duplicate object key"),
        ("[for x in 1 : x]", "cannot be iterated over"),
        ("[for x in nothing : x]", "Iteration over null value"),
        ("[for x in list : x if nothing]", "Condition is null"),
    ]);
}

#[test]
fn indexes_and_splats_reach_into_collections() {
    table(&[
        ("list[1]", "\"b\""),
        ("list.1", "\"b\""),
        ("list[\"1\"]", "\"b\""),
        ("map[\"x\"]", "1"),
        ("map.x", "1"),
        ("{\"a-b\" = 1}[\"a-b\"]", "1"),
        ("objects[*].id", "[\"1\",\"2\"]"),
        ("objects.*.id", "[\"1\",\"2\"]"),
        ("objects[*].tags[0]", "[\"q\",\"r\"]"),
        ("objects.*.tags[0]", "[\"q\"]"),
        ("nothing[*].id", "[]"),
        ("{a = 1}[*].a", "[1]"),
        ("map[*].x", "[1]"),
        ("set[*]", "[\"a\",\"b\"]"),
        ("[[1, 2], [3]][0][1]", "2"),
    ]);
    errors(&[
        ("list[3]", "Invalid index"),
        ("list[-1]", "Invalid index"),
        ("list[0.5]", "Invalid index"),
        ("map[\"xx\"]", "not in this map"),
        ("map.xx", "Did you mean \"x\"?"),
        ("objects.id", "[*].id"),
        ("nothing.id", "null"),
        ("set[0]", "a set have no index"),
        ("\"text\".x", "has no attributes"),
        ("missing", "no object named \"missing\""),
        ("lst", "Did you mean \"list\"?"),
        ("list[nothing]", "the index is null"),
    ]);
}

#[test]
fn object_keys_are_names_texts_or_expressions() {
    table(&[
        (
            "{a = 1, \"b c\" = 2, (upper(\"d\")) = 3}",
            "{\"D\":3,\"a\":1,\"b c\":2}",
        ),
        ("{10 = 1, 9 = 2}", "{\"10\":1,\"9\":2}"),
        ("{a : 1}", "{\"a\":1}"),
        ("{\n a = 1\n b = 2\n}", "{\"a\":1,\"b\":2}"),
        ("{list = 1}", "{\"list\":1}"),
        // Written twice the later one wins, wherever they stand.
        ("{a = 1, b = 2, a = 3, a = 4}", "{\"a\":4,\"b\":2}"),
        ("{x = {é = 1, é = 2}}", "{\"x\":{\"é\":2}}"),
        (
            "{\"a.b\" = 1, \"é\" = 2, \"a.b\" = 3, \"é\" = 4, \"1\" = 5, \"1\" = 6}",
            "{\"1\":6,\"a.b\":3,\"é\":4}",
        ),
        ("{\"${\"k\"}-x\" = 1}", "{\"k-x\":1}"),
    ]);
    errors(&[
        ("{(nothing) = 1}", "Null value as key"),
        ("{(list) = 1}", "Incorrect key type"),
    ]);
}

#[test]
fn newlines_mean_nothing_in_a_for_expression() {
    table(&[
        (
            "{for k in [\"a\"] :\n k =>\n true &&\n (1 ==\n 1)\n}",
            "{\"a\":true}",
        ),
        (
            "{for k in [\"a\"] : k => 1 + # one \"quote\n 1}",
            "{\"a\":2}",
        ),
        (
            "{ /* first */ for k in [\"a\"] : k => {\n x = k\n y = \"}\"\n} if k ==\n \"a\"}",
            "{\"a\":{\"x\":\"a\",\"y\":\"}\"}}",
        ),
    ]);
    // Elsewhere they end an item.
    let text = "x = {\n a = 1 +\n 2\n}";
    let said = parse_body("main.tf", text).unwrap_err();
    assert_eq!(said[0].span.as_ref().unwrap().line, 2);
}

#[test]
fn unknown_spreads_as_in_terraform() {
    let types = [
        ("\"a${u}\"", Type::String),
        ("u == \"a\"", Type::Bool),
        ("un + 1", Type::Number),
        ("un > 1", Type::Bool),
        ("ub ? 1 : 2", Type::Number),
        ("ub && true", Type::Bool),
        ("upper(u)", Type::String),
        ("length(ul)", Type::Number),
        ("ul[0]", Type::String),
        ("list[un]", Type::String),
        ("[for x in ul : x]", Type::Dynamic),
        ("dyn.anything.at[0].all", Type::Dynamic),
        ("join(\",\", [u, \"x\"])", Type::String),
    ];
    for (text, ty) in types {
        let found = value(text);
        assert!(found.is_unknown(), "{text}");
        assert_eq!(found.ty(), ty, "{text}");
    }
    // What does not depend on the unknown part is known.
    table(&[
        ("length([u, \"x\"])", "2"),
        ("ub && false", "false"),
        ("true || ub", "true"),
        ("[u, \"x\"][1]", "\"x\""),
        ("element([u, \"x\"], 1)", "\"x\""),
        ("keys({a = u})", "[\"a\"]"),
        ("lookup({a = u, b = 1}, \"b\", 0)", "1"),
        ("contains([\"x\", u], \"x\")", "true"),
        ("{a = 1} == {b = u}", "false"),
        ("coalesce(\"x\", u)", "\"x\""),
        ("can(1)", "true"),
        ("try(u.x.y, \"fallback\")", "\"fallback\""),
    ]);
    assert!(!value("[u, \"x\"]").is_unknown() && !value("[u]").is_wholly_known());
    assert!(value("try(u, 1)").is_unknown());
}

#[test]
fn marks_follow_values_through_everything() {
    for text in [
        "\"a${secret}\"",
        "upper(secret)",
        "secret == \"x\"",
        "secret == \"s3\" ? 1 : 2",
        "[for x in [secret] : x][0]",
        "jsonencode({a = secret})",
        "{a = secret}.a",
        "lookup({a = secret}, \"a\")",
        "merge({a = secret}, {})[\"a\"]",
        "sort([\"b\", secret])[0]",
    ] {
        assert!(value(text).marks().sensitive, "{text}");
    }
    for text in [
        "\"${stand_in}/32\"",
        "trimsuffix(chomp(stand_in), \"x\")",
        "concat([stand_in], [])[0]",
        "stand_in != \"\"",
        "element([stand_in], 0)",
    ] {
        let marks = value(text).marks();
        assert!(marks.placeholder.contains("x.y.z"), "{text}");
        assert!(!marks.sensitive, "{text}");
        // A placeholder is known: only a verdict makes it unknown.
        assert!(value(text).is_wholly_known(), "{text}");
    }
    assert!(!value("nonsensitive(secret)").marks().sensitive);
    assert_eq!(value("issensitive(secret)").as_bool(), Some(true));
    assert!(!value("[secret, 1][1]").marks().sensitive);
    assert!(value("[secret, stand_in]").is_placeholder());
}

#[test]
fn conversions_are_those_of_terraform() {
    let ok = [
        ("\"50\"", "number", "50"),
        ("50", "string", "\"50\""),
        ("true", "string", "\"true\""),
        ("\"true\"", "bool", "true"),
        ("\"1\"", "bool", "true"),
        ("[1, \"a\"]", "list(string)", "[\"1\",\"a\"]"),
        ("[\"b\", \"a\", \"b\"]", "set(string)", "[\"a\",\"b\"]"),
        ("[10, 9]", "set(number)", "[9,10]"),
        ("{a = 1}", "map(string)", "{\"a\":\"1\"}"),
        ("{a = 1, b = \"x\"}", "map", "{\"a\":\"1\",\"b\":\"x\"}"),
        ("[1, \"x\"]", "list", "[\"1\",\"x\"]"),
        (
            "{a = 1, z = 9}",
            "object({a = string, b = optional(number, 5), c = optional(bool)})",
            "{\"a\":\"1\",\"b\":5,\"c\":null}",
        ),
        (
            "{a = null}",
            "object({a = optional(number, 5)})",
            "{\"a\":5}",
        ),
        (
            "{o = {}}",
            "object({o = object({x = optional(string, \"d\")})})",
            "{\"o\":{\"x\":\"d\"}}",
        ),
        ("[1, true]", "tuple([string, bool])", "[\"1\",true]"),
        ("null", "list(string)", "null"),
        ("1", "any", "1"),
    ];
    for (text, ty, expected) in ok {
        let ty = type_constraint(&parse_expr("t", ty).unwrap()).unwrap();
        assert_eq!(
            to_json(&convert(&value(text), &ty).unwrap()),
            expected,
            "{text} to {ty}"
        );
    }
    let not = [
        ("\"x\"", "number", "a number is required"),
        ("\"yes\"", "bool", "a bool is required"),
        ("\"True\"", "bool", "use lowercase"),
        ("1", "bool", "bool required"),
        ("[1]", "map(string)", "map of string required"),
        ("\"x\"", "list(string)", "list of string required"),
        (
            "{}",
            "object({a = string, b = number})",
            "attributes \"a\", \"b\" are required",
        ),
        ("[1, \"x\"]", "list(number)", "[1]: a number is required"),
        ("[1, {}]", "list", "all elements must have the same type"),
        (
            "{a = [\"x\"]}",
            "object({a = list(number)})",
            "a[0]: a number is required",
        ),
    ];
    for (text, ty, expected) in not {
        let ty = type_constraint(&parse_expr("t", ty).unwrap()).unwrap();
        let error = convert(&value(text), &ty).unwrap_err().to_string();
        assert!(error.contains(expected), "{text} to {ty}: {error}");
    }
}

#[test]
fn unification_finds_the_type_that_all_can_become() {
    let ty = |text: &str| type_constraint(&parse_expr("t", text).unwrap()).unwrap();
    let unified = |types: &[&str]| {
        let types: Vec<Type> = types.iter().map(|t| ty(t)).collect();
        unify(&types).map(|t| t.to_string())
    };
    assert_eq!(unified(&["string", "number"]).as_deref(), Some("string"));
    assert_eq!(unified(&["number", "bool"]), None);
    assert_eq!(unified(&["any", "number"]).as_deref(), Some("number"));
    assert_eq!(
        unified(&["list(number)", "tuple([string])"]).as_deref(),
        Some("list(string)")
    );
    assert_eq!(
        unified(&["object({a = number})", "map(string)"]).as_deref(),
        Some("map(string)")
    );
    assert_eq!(unified(&["list(string)", "string"]), None);
    assert_eq!(unified(&[]).as_deref(), Some("any"));
}

#[test]
fn types_are_read_and_what_is_not_one_is_said() {
    let read = |text: &str| type_constraint(&parse_expr("t.tf", text).unwrap());
    assert_eq!(
        read("map(list(string))").unwrap().to_string(),
        "map(list(string))"
    );
    assert_eq!(read("\"string\"").unwrap(), Type::String);
    for (text, expected) in [
        ("strng", "Did you mean \"string\"?"),
        ("list(string, string)", "not a type with these arguments"),
        ("1", "a type is expected"),
        (
            "object({a = optional(number, \"x\")})",
            "default does not fit",
        ),
        ("optional(string)", "not a type"),
    ] {
        let errors = read(text).unwrap_err();
        assert!(
            errors[0].to_string().contains(expected),
            "{text}: {errors:?}"
        );
    }
}

#[test]
fn try_and_can_swallow_errors_and_only_they() {
    table(&[
        ("try(list[9], \"none\")", "\"none\""),
        ("try(objects[0].id, 0)", "\"1\""),
        ("can(list[9])", "false"),
        ("can(regex(\"^a\", \"abc\"))", "true"),
        ("try(missing.a, null)", "null"),
    ]);
    errors(&[("try(list[9], list[8])", "no argument could be evaluated")]);
}

#[test]
fn calls_expand_their_last_argument() {
    table(&[
        ("max([1, 5, 3]...)", "5"),
        ("concat([[1], [2]]...)", "[1,2]"),
        ("min(4, [1, 2]...)", "1"),
    ]);
    errors(&[
        ("max(1...)", "must be a list"),
        ("upper()", "takes 1 arguments, not 0"),
        ("upper(\"a\", \"b\")", "takes 1 arguments, not 2"),
        ("uper(\"a\")", "Did you mean \"upper\"?"),
        ("upper(null)", "argument must not be null"),
        ("upper(list)", "string required"),
        ("core::lwer(\"X\")", "Did you mean \"lower\"?"),
    ]);
    table(&[("core::lower(\"X\")", "\"x\"")]);
}

#[test]
fn all_errors_of_an_expression_come_at_once_with_their_places() {
    let errors = run("[\n  missing_a,\n  {k = missing_b},\n  upper(missing_c),\n]").unwrap_err();
    let places: Vec<(u32, u32)> = errors
        .iter()
        .filter_map(|d| d.span.as_ref())
        .map(|s| (s.line, s.column))
        .collect();
    assert_eq!(places, [(2, 3), (3, 8), (4, 9)]);
}

#[test]
fn files_are_read_through_the_caller() {
    let files = MemoryFiles::new()
        .with("a.txt", "hello\n")
        .with(
            "sub/t.tftpl",
            "%{ for n in names ~}\nhi ${n}\n%{ endfor ~}\n",
        )
        .with("sub/b.txt", "")
        .with("loop.tftpl", "${templatefile(\"loop.tftpl\", {})}");
    let run = |text: &str| evaluate(&parse_expr("t.tf", text).unwrap(), &scope(), &files);
    assert_eq!(run("file(\"a.txt\")").unwrap().as_str(), Some("hello\n"));
    // A key in somebody's home is not sent along; it may be there.
    let key = run("file(\"~/.ssh/id_rsa.pub\")").unwrap();
    assert!(key.is_unknown() && key.is_placeholder());
    assert_eq!(
        run("file(\"./sub/../a.txt\")").unwrap().as_str(),
        Some("hello\n")
    );
    assert_eq!(
        run("templatefile(\"sub/t.tftpl\", {names = [\"x\", \"y\"]})")
            .unwrap()
            .as_str(),
        Some("hi x\nhi y\n")
    );
    assert_eq!(
        to_json(&run("fileset(\"sub\", \"*.{txt,md}\")").unwrap()),
        "[\"b.txt\"]"
    );
    assert_eq!(run("fileexists(\"no\")").unwrap().as_bool(), Some(false));
    assert!(
        run("file(\"no\")").unwrap_err()[0]
            .detail
            .contains("no file exists")
    );
    assert!(run("templatefile(\"loop.tftpl\", {})").is_err());
}

#[test]
fn bodies_keep_places_of_names_labels_and_values() {
    let body = parse_body(
        "net.tf",
        "\u{feff}# comment\nresource \"a\" \"b\" {\n  x = 1\n  n {\n    y = \"é\"\n  }\n}\n",
    )
    .unwrap();
    let block = &body.blocks[0];
    assert_eq!((block.span.line, block.span.column), (2, 1));
    assert_eq!(block.label(1), Some("b"));
    let x = block.body.attribute("x").unwrap();
    assert_eq!(
        (x.name_span.to_string(), x.expr.span.to_string()),
        ("net.tf:3:3".to_owned(), "net.tf:3:7".to_owned())
    );
    assert_eq!(
        block.body.blocks[0]
            .body
            .attribute("y")
            .unwrap()
            .expr
            .span
            .line,
        5
    );
}

#[test]
fn syntax_errors_and_doubled_attributes_have_a_place() {
    let error = &parse_body("a.tf", "x = 1\ny = [1,\n").unwrap_err()[0];
    assert_eq!(error.summary, "Syntax error");
    assert!(error.span.as_ref().is_some_and(|s| s.line >= 2));
    let doubled = parse_body("a.tf", "x = 1\nx = 2\n");
    assert!(
        doubled.unwrap_err()[0]
            .span
            .as_ref()
            .is_some_and(|s| s.line == 2)
    );
}

#[test]
fn a_template_text_alone_is_an_expression() {
    let expr = parse_template("t", "hi ${u}, ${1}").unwrap();
    assert!(matches!(
        evaluate(&expr, &scope(), &NoFiles).unwrap().kind(),
        Kind::Unknown(Type::String)
    ));
}

#[test]
fn keys_and_files_that_a_placeholder_stands_for_are_unknown() {
    let forms = ["cidrhost(stand_in, 1)", "timeadd(stand_in, \"1h\")"];
    for text in [
        r#"stand_in_map["HIGH"]"#,
        "file(stand_in)",
        forms[0],
        forms[1],
    ] {
        let found = value(text);
        assert!(
            found.is_unknown() && found.is_placeholder(),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn objects_of_which_not_all_is_known_stay_so_through_conversions() {
    let block = |name: &str, at: &str| {
        Value::object_of([("name", Value::string(name))]).open(format!("x.y.block[{at}]"))
    };
    let blocks = Value::tuple(vec![block("a", "0"), block("b", "1")]);
    let scope = BTreeMap::from([("blocks".to_owned(), blocks)]);
    for text in [
        "tolist(blocks)[1].id",
        "toset(blocks)[*].id",
        "(true ? blocks : [])[1].id",
        "[for b in tolist(blocks) : b.id if b.name == \"b\"][0]",
        "tomap({a = blocks[1]}).a.id",
    ] {
        let expr = parse_expr("t", text).unwrap();
        let found =
            evaluate(&expr, &scope, &NoFiles).unwrap_or_else(|e| panic!("{text}: {}", e[0]));
        let of = |v: &Value| v.deep_marks().placeholder;
        assert!(of(&found).contains("x.y.block[1].id"), "{text}: {found:?}");
    }
    let ty = type_constraint(&parse_expr("t", "object({ name = string, id = string })").unwrap());
    let narrowed = convert(&block("a", "0"), &ty.unwrap()).unwrap();
    let id = narrowed.attr("id").unwrap();
    assert!(id.is_unknown() && id.is_placeholder() && id.ty() == Type::String);
}
