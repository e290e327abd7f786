//! Functions, with examples from their documentation's definitions.

use std::collections::BTreeMap;

use skybridge_hcl::{
    MemoryFiles, NoFiles, Value, evaluate, evaluate_with, function_names, parse_expr, to_json,
};

fn run(text: &str) -> Result<Value, String> {
    let scope: BTreeMap<String, Value> = BTreeMap::new();
    let expr = parse_expr("f.tf", text).map_err(|e| e[0].to_string())?;
    evaluate(&expr, &scope, &NoFiles).map_err(|e| e[0].to_string())
}

fn table(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        let found = run(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(to_json(&found), *expected, "{text}");
    }
}

fn errors(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        let found = run(text).expect_err(text);
        assert!(found.contains(expected), "{text}: {found}");
    }
}

#[test]
fn patterns_are_those_of_re2() {
    // What Terraform 1.11.4 gives.
    let rows = [
        (
            r#"^[^\\/"[\]:|<>+=;,?*@&_][^\\/[\]:|<>@&]{0,62}$"#,
            "my.group",
            r#"["my.group"]"#,
        ),
        (r"[/\w-\.]+\/([\w-]+)", "/a/b-c/gw-1", r#"[["gw-1"]]"#),
        ("[a-c-e]+", "a-d-e-b", r#"["a-","-e-b"]"#),
        ("[]a]+", "x]a", r#"["]a"]"#),
        ("[--a&&b~~]+", "a&b~c-", r#"["a&b~","-"]"#),
        ("[[:alpha:]-]+", "1a-b", r#"["a-b"]"#),
        (r"\w+", "é_a1", r#"["_a1"]"#),
        (r"\d+", "1٣2", r#"["1","2"]"#),
        (r"[^\W\d]+", "a1_b", r#"["a","_b"]"#),
        ("a{,2}", "a{,2}aa", r#"["a{,2}"]"#),
        ("x{2}y{1,}", "xxyy", r#"["xxyy"]"#),
        ("{a}", "{a}", r#"["{a}"]"#),
        (r"\Qa.b\E+", "a.bb", r#"["a.bb"]"#),
        (r"\bé", "aé é", r#"["é"]"#),
        (r"[\d-x]+", "1-x", r#"["1-x"]"#),
        ("[.-]", "a.b-c", r#"[".","-"]"#),
    ];
    for (pattern, text, expected) in rows {
        let pattern = pattern.replace('\\', r"\\").replace('"', "\\\"");
        let call = format!("regexall(\"{pattern}\", \"{text}\")");
        let found = run(&call).unwrap_or_else(|e| panic!("{call}: {e}"));
        let found = to_json(&found).replace("\\u0026", "&");
        assert_eq!(found, expected, "{call}");
    }
}

#[test]
fn functions_of_providers_take_identifiers_apart_and_put_them_together() {
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v";
    table(&[
        (
            &format!("provider::azurerm::parse_resource_id(\"{id}/subnets/a\").parent_resources"),
            r#"{"virtualNetworks":"v"}"#,
        ),
        (
            &format!(
                "provider::azapi::parse_resource_id(\"Microsoft.Network/virtualNetworks\", \"{id}\")"
            ),
            r#"{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v","name":"v","parent_id":"/subscriptions/s/resourceGroups/g","parts":{"providers":"Microsoft.Network","resourceGroups":"g","subscriptions":"s","virtualNetworks":"v"},"provider_namespace":"Microsoft.Network","resource_group_name":"g","subscription_id":"s","type":"Microsoft.Network/virtualNetworks"}"#,
        ),
        (
            "provider::azapi::parse_resource_id(\"Microsoft.Resources/resourceGroups\", \"/subscriptions/s/resourceGroups/g\").resource_group_name",
            "\"g\"",
        ),
        (
            &format!(
                "provider::azapi::build_resource_id(\"{id}\", \"Microsoft.Network/virtualNetworks/subnets\", \"a\")"
            ),
            &format!("\"{id}/subnets/a\""),
        ),
        (
            "provider::azapi::resource_group_resource_id(\"s\", \"g\", \"Microsoft.Network/virtualNetworks\", [\"v\"])",
            &format!("\"{id}\""),
        ),
        (
            "provider::azurerm::normalise_resource_id(\"/Subscriptions/s/resourcegroups/g\")",
            "\"/subscriptions/s/resourceGroups/g\"",
        ),
    ]);
    assert!(
        run("provider::time::rfc3339_parse(\"x\")")
            .unwrap()
            .is_unknown()
    );
}

#[test]
fn string_functions() {
    table(&[
        ("chomp(\"a\\r\\n\\n\")", "\"a\""),
        ("indent(2, \"a\\nb\")", "\"a\\n  b\""),
        ("join(\"-\", [\"a\", \"b\"], [\"c\"])", "\"a-b-c\""),
        ("split(\",\", \"a,b,\")", "[\"a\",\"b\",\"\"]"),
        ("substr(\"hello\", 1, 3)", "\"ell\""),
        ("substr(\"hello\", -2, -1)", "\"lo\""),
        ("title(\"hello wide world\")", "\"Hello Wide World\""),
        ("trim(\"?!x?!\", \"!?\")", "\"x\""),
        ("trimprefix(\"aab\", \"a\")", "\"ab\""),
        ("replace(\"a.b\", \".\", \"-\")", "\"a-b\""),
        ("replace(\"a1b22\", \"/[0-9]+/\", \"#\")", "\"a#b#\""),
        ("replace(\"xay\", \"/(a)/\", \"[$1]\")", "\"x[a]y\""),
        ("regex(\"[a-z]+\", \"53abc\")", "\"abc\""),
        ("regex(\"(\\\\d+)-(\\\\d+)\", \"x 1-22\")", "[\"1\",\"22\"]"),
        (
            "regex(\"(?P<a>\\\\d)(?P<b>\\\\d)?\", \"1\")",
            "{\"a\":\"1\",\"b\":null}",
        ),
        ("regexall(\"[a-z]\", \"1a2b\")", "[\"a\",\"b\"]"),
        ("strrev(\"ab\")", "\"ba\""),
        (
            "startswith(\"ab\", \"a\") && endswith(\"ab\", \"b\") && strcontains(\"abc\", \"b\")",
            "true",
        ),
    ]);
    errors(&[
        ("regex(\"z\", \"a\")", "did not match"),
        ("regex(\"(\", \"a\")", "invalid regular expression"),
    ]);
}

#[test]
fn collection_functions() {
    table(&[
        ("alltrue([true, \"true\"])", "true"),
        ("alltrue([])", "true"),
        ("anytrue([false])", "false"),
        (
            "chunklist([\"a\", \"b\", \"c\"], 2)",
            "[[\"a\",\"b\"],[\"c\"]]",
        ),
        ("coalesce(null, \"\", \"x\")", "\"x\""),
        ("coalescelist([], [1])", "[1]"),
        ("compact([\"a\", \"\", null])", "[\"a\"]"),
        ("concat([1], [\"a\"])", "[1,\"a\"]"),
        ("contains([\"a\"], \"b\")", "false"),
        ("distinct([\"b\", \"a\", \"b\"])", "[\"b\",\"a\"]"),
        ("element([1, 2, 3], 4)", "2"),
        ("element([1, 2, 3], -1)", "3"),
        ("flatten([[1, [2]], [], 3])", "[1,2,3]"),
        ("index([\"a\", \"b\"], \"b\")", "1"),
        ("keys({b = 1, a = 2})", "[\"a\",\"b\"]"),
        ("length({a = 1})", "1"),
        ("lookup({a = 1}, \"z\", 9)", "9"),
        (
            "matchkeys([\"i\", \"j\"], [\"x\", \"y\"], [\"y\"])",
            "[\"j\"]",
        ),
        ("merge({a = 1, b = 1}, null, {b = 2})", "{\"a\":1,\"b\":2}"),
        ("one([5])", "5"),
        ("one([])", "null"),
        ("range(3)", "[0,1,2]"),
        ("range(4, 1)", "[4,3,2]"),
        ("range(0, 1, 0.5)", "[0,0.5]"),
        ("reverse([1, 2])", "[2,1]"),
        ("setunion([\"b\"], [\"a\"])", "[\"a\",\"b\"]"),
        ("setintersection([\"a\", \"b\"], [\"b\"])", "[\"b\"]"),
        ("setsubtract([\"a\", \"b\"], [\"b\"])", "[\"a\"]"),
        ("setproduct([\"a\", \"b\"], [1])", "[[\"a\",1],[\"b\",1]]"),
        ("slice([\"a\", \"b\", \"c\"], 1, 2)", "[\"b\"]"),
        ("sort([\"b\", \"a\"])", "[\"a\",\"b\"]"),
        ("sum([1, 2.5])", "3.5"),
        (
            "transpose({a = [\"1\", \"2\"], b = [\"2\"]})",
            "{\"1\":[\"a\"],\"2\":[\"a\",\"b\"]}",
        ),
        ("values({b = 1, a = 2})", "[2,1]"),
        ("zipmap([\"a\", \"b\"], [1, 2])", "{\"a\":1,\"b\":2}"),
        ("list(1, 2)", "[1,2]"),
        ("map(\"a\", 1)", "{\"a\":1}"),
    ]);
    errors(&[
        ("element([], 0)", "empty list"),
        ("index([1], 2)", "item not found"),
        ("lookup({a = 1}, \"z\")", "failed to find key \"z\""),
        ("one([1, 2])", "zero or one elements"),
        ("range(2000)", "more than 1024"),
        ("slice([1], 0, 2)", "end index"),
        ("coalesce(null, \"\")", "no non-null"),
        ("setproduct(range(1024), range(1024))", "more than 1000000"),
    ]);
}

#[test]
fn numeric_functions() {
    table(&[
        (
            "[abs(-1.5), ceil(1.2), floor(-1.2), signum(-3), max(1, 3, 2), min(2, 1)]",
            "[1.5,2,-2,-1,3,1]",
        ),
        ("pow(2, 100)", "1267650600228229401496703205376"),
        ("pow(4, 0.5)", "2"),
        ("pow(2, -1)", "0.5"),
        ("log(16, 2)", "4"),
        ("parseint(\"ff\", 16)", "255"),
        ("parseint(\"-101\", 2)", "-5"),
    ]);
    errors(&[
        ("parseint(\"9\", 8)", "cannot parse"),
        ("pow(10, 4096) * pow(10, 4096)", "too large"),
    ]);
}

#[test]
fn network_functions() {
    table(&[
        ("cidrhost(\"10.12.112.0/20\", 16)", "\"10.12.112.16\""),
        ("cidrhost(\"10.12.112.0/20\", -2)", "\"10.12.127.254\""),
        (
            "cidrhost(\"fd00:fd12:3456:7890::/72\", 34)",
            "\"fd00:fd12:3456:7890::22\"",
        ),
        ("cidrnetmask(\"172.16.0.0/12\")", "\"255.240.0.0\""),
        ("cidrsubnet(\"172.16.0.0/12\", 4, 2)", "\"172.18.0.0/16\""),
        ("cidrsubnet(\"10.1.2.0/24\", 4, 15)", "\"10.1.2.240/28\""),
        (
            "cidrsubnet(\"fd00:fd12:3456:7890::/56\", 16, 162)",
            "\"fd00:fd12:3456:7800:a200::/72\"",
        ),
        ("cidrsubnet(\"0.0.0.0/0\", 0, 0)", "\"0.0.0.0/0\""),
        (
            "cidrsubnets(\"10.1.0.0/16\", 4, 4, 8, 4)",
            "[\"10.1.0.0/20\",\"10.1.16.0/20\",\"10.1.32.0/24\",\"10.1.48.0/20\"]",
        ),
    ]);
    errors(&[
        (
            "cidrhost(\"10.0.0.0/30\", 4)",
            "does not accommodate a host numbered 4",
        ),
        ("cidrsubnet(\"10.0.0.0/30\", 3, 0)", "not enough bits"),
        (
            "cidrsubnet(\"10.0.0.0/30\", 1, 2)",
            "does not accommodate a subnet numbered 2",
        ),
        (
            "cidrsubnets(\"10.0.0.0/30\", 1, 1, 1)",
            "not enough remaining address space",
        ),
        ("cidrnetmask(\"fd00::/8\")", "IPv6"),
        ("cidrhost(\"10.0.0.300/8\", 1)", "not an address prefix"),
    ]);
}

#[test]
fn encodings_and_digests() {
    table(&[
        ("base64encode(\"Hello World\")", "\"SGVsbG8gV29ybGQ=\""),
        ("base64decode(\"SGVsbG8gV29ybGQ=\")", "\"Hello World\""),
        (
            "jsonencode({b = [1, null], a = \"<\"})",
            "\"{\\\"a\\\":\\\"\\\\u003c\\\",\\\"b\\\":[1,null]}\"",
        ),
        (
            "jsondecode(\"{\\\"a\\\": [1, true, null, 1.50]}\")",
            "{\"a\":[1,true,null,1.5]}",
        ),
        ("urlencode(\"a b&c\")", "\"a+b%26c\""),
        (
            "csvdecode(\"a,b\\n1,\\\"x,\\\"\\\"y\\\"\\n\")",
            "[{\"a\":\"1\",\"b\":\"x,\\\"y\"}]",
        ),
        (
            "md5(\"hello world\")",
            "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"",
        ),
        (
            "sha1(\"hello world\")",
            "\"2aae6c35c94fcfb415dbe95f408b9ce91ee846ed\"",
        ),
        (
            "sha256(\"\")",
            "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
        ),
        // RFC 9562 §A.4: www.example.com in the DNS namespace.
        (
            "uuidv5(\"dns\", \"www.example.com\")",
            "\"2ed6657d-e927-568b-95e1-2665a8aea6a2\"",
        ),
    ]);
    errors(&[
        ("jsondecode(\"{\")", "invalid JSON"),
        ("base64decode(\"?\")", "failed to decode"),
    ]);
}

#[test]
fn formatting() {
    table(&[
        (
            "format(\"%s-%03d|%5s|%-5s|%t\", \"a\", 7, \"x\", \"y\", true)",
            "\"a-007|    x|y    |true\"",
        ),
        (
            "format(\"%.2f %x %X %b %o\", 3.14159, 255, 255, 5, 8)",
            "\"3.14 ff FF 101 10\"",
        ),
        (
            "format(\"%v %v %#v\", [1], \"s\", \"s\")",
            "\"[1] s \\\"s\\\"\"",
        ),
        ("format(\"%q %%\", \"a\")", "\"\\\"a\\\" %\""),
        ("format(\"%[2]s %[1]s\", \"a\", \"b\")", "\"b a\""),
        ("format(\"%+d %e\", 5, 1500)", "\"+5 1.500000e+03\""),
        (
            "formatlist(\"%s-%d\", [\"a\", \"b\"], 1)",
            "[\"a-1\",\"b-1\"]",
        ),
        (
            "formatdate(\"DD MMM YYYY hh:mm ZZZ\", \"2018-01-02T23:12:01Z\")",
            "\"02 Jan 2018 23:12 UTC\"",
        ),
        (
            "formatdate(\"EEEE, H 'o''clock' aa\", \"2018-01-02T23:12:01-08:00\")",
            "\"Tuesday, 11 o'clock pm\"",
        ),
        (
            "timeadd(\"2017-11-22T00:00:00Z\", \"10m\")",
            "\"2017-11-22T00:10:00Z\"",
        ),
        (
            "timecmp(\"2017-11-22T00:00:00Z\", \"2017-11-22T01:00:00+01:00\")",
            "0",
        ),
    ]);
    errors(&[
        ("format(\"%s\")", "not enough arguments"),
        ("format(\"x\", 1)", "too many arguments"),
        ("format(\"%d\", \"x\")", "a number is required"),
        ("format(\"%99999999d\", 1)", "too large"),
        ("formatlist(\"%s%s\", [1], [1, 2])", "same length"),
    ]);
}

#[test]
fn values_that_differ_from_run_to_run_stay_unknown() {
    for text in ["timestamp()", "uuid()", "bcrypt(\"x\")"] {
        assert!(run(text).unwrap().is_unknown(), "{text}");
    }
}

#[test]
fn no_function_is_there_twice() {
    let names = function_names();
    assert!(names.windows(2).all(|w| w[0] < w[1]), "{names:?}");
    assert!(names.len() >= 100, "{}", names.len());
}

#[test]
fn files_out_of_reach_are_placeholders() {
    let files = MemoryFiles::new()
        .with("in/a.txt", "a")
        .with("../net/b.txt", "b");
    let value = |text: &str| {
        let expr = parse_expr("x", text).unwrap();
        let nothing: BTreeMap<String, Value> = BTreeMap::new();
        evaluate(&expr, &nothing, &files)
    };
    for text in [
        "file(\"~/.ssh/id_rsa.pub\")",
        "filebase64(\"/etc/key\")",
        "filesha256(\"../keys/id\")",
        "fileexists(\"../keys/id\")",
        "fileset(\"/etc\", \"*\")",
        "templatefile(\"/etc/t\", {})",
    ] {
        let found = value(text).unwrap();
        assert!(found.is_unknown() && found.is_placeholder(), "{text}");
    }
    assert_eq!(
        value("fileexists(\"in/b.txt\")").unwrap().as_bool(),
        Some(false)
    );
    assert_eq!(
        value("fileexists(\"../net/c.txt\")").unwrap().as_bool(),
        Some(false)
    );
    assert_eq!(value("file(\"../net/b.txt\")").unwrap().as_str(), Some("b"));
    assert!(value("file(\"in/b.txt\")").is_err());
    assert!(
        value("file(\"../net/c.txt\")").is_err(),
        "its folder was read"
    );
}

#[test]
fn functions_of_providers_are_named_and_unknown() {
    let nothing: BTreeMap<String, Value> = BTreeMap::new();
    let expr = parse_expr("t", "provider::azurerm::parse_resource_id(\"x\")").unwrap();
    let mut said = Vec::new();
    let value = evaluate_with(&expr, &nothing, &MemoryFiles::new(), &mut said).unwrap();
    assert!(value.is_unknown() && value.is_placeholder());
    assert_eq!(said.len(), 1);
    assert!(!said[0].is_error() && said[0].detail.contains("\"azurerm\""));
}
