//! What users hand in: directories of Terraform, plans and states in JSON, and the texts that functions decode.

use std::collections::BTreeMap;
use std::sync::Arc;

use skybridge_hcl::{MemoryFiles, NoFiles, Type, Value, evaluate, parse_expr, to_json};
use skybridge_terraform::{
    Action, Apply, ApplyResult, DOCUMENT_FILE, Schemas, Stack, StackState, VariableInputs,
};

/// A directory: `-- path --` begins a file, and what stands before the first one is `main.tf`. It is planned,
/// applied by a cloud that agrees to everything, and planned again.
pub fn stack(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut files = MemoryFiles::new();
    let (mut name, mut content) = ("main.tf".to_owned(), String::new());
    for line in text.split_inclusive('\n') {
        let head = line.trim_end().strip_prefix("-- ");
        match head.and_then(|h| h.strip_suffix(" --")) {
            Some(path) => {
                files.insert(&name, std::mem::take(&mut content));
                path.clone_into(&mut name);
            }
            None => content.push_str(line),
        }
    }
    files.insert(&name, content);
    carried_out(files);
}

/// A plan or a state in JSON in the place of a directory.
pub fn document(data: &[u8]) {
    carried_out(MemoryFiles::new().with(DOCUMENT_FILE, data));
}

fn carried_out(files: MemoryFiles) {
    let schemas = Arc::new(Schemas::builtin());
    let inputs = VariableInputs::default();
    let Ok((stack, _)) = Stack::load(Arc::new(files), ".", &inputs, schemas) else {
        return;
    };
    let stack = Arc::new(stack);
    let first = drive(Apply::plan_only(Arc::clone(&stack), StackState::default()));
    let second = drive(Apply::plan_only(Arc::clone(&stack), StackState::default()));
    let shown = |result: &ApplyResult| -> Vec<String> {
        let plan = result.plan.iter();
        plan.map(|(a, p)| format!("{a} {:?} {}", p.change, to_json(&p.attributes)))
            .collect()
    };
    assert_eq!(shown(&first), shown(&second), "a plan is a function");
    let applied = drive(Apply::new(Arc::clone(&stack), StackState::default()));
    let again = drive(Apply::plan_only(stack, applied.state));
    assert!(again.plan.len() <= INSTANCES_MAX, "instances are bounded");
}

/// What the limits of blocks, modules and instances allow together, and more than any input here reaches.
const INSTANCES_MAX: usize = 1 << 20;

/// Carries out whatever is asked for with what was planned.
fn drive(mut machine: Apply) -> ApplyResult {
    while let Some(action) = machine.poll_action() {
        let attributes = match &action {
            Action::Read { config, .. } => config.clone(),
            Action::Create { planned, .. } => planned.clone(),
            Action::Update { after, .. } => after.clone(),
            Action::Delete { .. } => Value::null(),
        };
        machine.complete(action.target().id, &attributes);
    }
    assert!(machine.is_done(), "what was asked for was done");
    machine.finish()
}

/// The functions that read a text, each with the name under which the text is.
const DECODERS: [&str; 20] = [
    "yamldecode(x)",
    "jsondecode(x)",
    "csvdecode(x)",
    "templatestring(x, { a = [1, \"b\"], m = { k = null } })",
    "try(regexall(x, \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"), 0)",
    "replace(\"a.b.c\", \"/${x}/\", \"$1\")",
    "formatdate(x, \"2020-01-02T03:04:05Z\")",
    "timeadd(\"2020-01-02T03:04:05Z\", x)",
    "format(x, 1, \"a\", [true])",
    "base64decode(x)",
    "urldecode(x)",
    "textdecodebase64(x, \"UTF-16LE\")",
    "yamlencode(yamldecode(x))",
    "cidrsubnets(x, 1, 2)",
    "parseint(x, 36)",
    "tonumber(x)",
    "title(substr(x, 1, 5))",
    "fileset(x, \"**\")",
    "indent(3, join(x, split(x, \"a${x}b\")))",
    "jsonencode({ (x) = upper(x) })",
];

/// The first octet names a function, the rest is the text that it decodes.
pub fn decode(data: &[u8]) {
    let Some((which, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let which = usize::from(*which) % (DECODERS.len() + 1);
    let Some(source) = DECODERS.get(which) else {
        if let Ok(expr) = parse_expr("fuzz", text) {
            let _constraint = skybridge_hcl::type_constraint(&expr);
        }
        return;
    };
    let expr = parse_expr("fuzz", source).expect("the functions are called as they should be");
    let scope = BTreeMap::from([("x".to_owned(), Value::string(text))]);
    let first = evaluate(&expr, &scope, &NoFiles);
    assert_eq!(
        first,
        evaluate(&expr, &scope, &NoFiles),
        "evaluation is a function"
    );
    // Without a value nothing is refused that some value would be let through with.
    let scope = BTreeMap::from([("x".to_owned(), Value::unknown(Type::String))]);
    let _unknown = evaluate(&expr, &scope, &NoFiles);
}
