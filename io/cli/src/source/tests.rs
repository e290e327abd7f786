//! Reading stacks from temporary directories.

use std::fs;

use super::*;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn names(read: &Read) -> Vec<&str> {
    read.stack.files.keys().map(String::as_str).collect()
}

#[test]
fn configuration_is_read_and_the_rest_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "main.tf", "locals {}");
    write(root, "lab.sky.hcl", "");
    write(root, "terraform.tfvars", "a = 1");
    write(root, "modules/net/main.tf", "");
    write(root, ".terraform/modules/modules.json", "{}");
    write(root, ".terraform/modules/x/main.tf", "");
    write(root, ".terraform/providers/p/main.tf", "");
    write(root, ".git/x.tf", "");
    write(root, "README.md", "text");
    write(root, ".hidden.tf", "");
    let read = read(root, &Variables::default()).unwrap();
    assert_eq!(
        names(&read),
        [
            ".terraform/modules/modules.json",
            ".terraform/modules/x/main.tf",
            "lab.sky.hcl",
            "main.tf",
            "modules/net/main.tf",
            "terraform.tfvars",
        ]
    );
    let canonical = root.canonicalize().unwrap();
    assert_eq!(read.stack.directory, canonical.to_str().unwrap());
}

#[test]
fn a_directory_of_opentofu_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "main.tofu", "locals {}");
    write(root, "more.tofu.json", "{}");
    let read = read(root, &Variables::default()).unwrap();
    assert_eq!(names(&read), ["main.tofu", "more.tofu.json"]);
}

#[test]
fn modules_outside_the_directory_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(
        root,
        "live/main.tf",
        "module a {\n source = \"../modules/a\"\n}",
    );
    write(
        root,
        "modules/a/main.tf",
        "module b {\n source = \"../b\"\n}",
    );
    write(
        root,
        "modules/b/main.tf",
        "module c {\n source = \"./c\"\n}",
    );
    write(root, "modules/b/c/main.tf", "");
    write(root, "modules/unused/main.tf", "");
    let read = read(&root.join("live"), &Variables::default()).unwrap();
    assert_eq!(
        names(&read),
        [
            "../modules/a/main.tf",
            "../modules/b/c/main.tf",
            "../modules/b/main.tf",
            "main.tf",
        ]
    );
}

#[test]
fn other_text_is_read_only_for_functions_that_read_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("live");
    write(
        &root,
        "main.tf",
        "x = file(\"init.sh\")\ny = file(\"../key.pub\")",
    );
    write(&root, "init.sh", "#!/bin/sh");
    write(folder.path(), "key.pub", "ssh-rsa");
    write(folder.path(), "other.txt", "no");
    fs::write(root.join("picture.png"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(root.join("long.txt"), "x".repeat(1 + (1 << 20))).unwrap();
    let read = read(&root, &Variables::default()).unwrap();
    assert_eq!(names(&read), ["../key.pub", "init.sh", "main.tf"]);
    assert_eq!(read.left_out, ["long.txt"]);
}

#[test]
fn what_cannot_be_a_stack_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let none = Variables::default();
    assert!(matches!(read(root, &none), Err(SourceError::Empty(_))));
    let absent = root.join("absent");
    let refused = read(&absent, &none);
    assert!(matches!(refused, Err(SourceError::NotADirectory(_))));
    let file = root.join("plan.json");
    fs::write(&file, "no JSON").unwrap();
    let refused = read(&file, &none).err().unwrap();
    assert!(matches!(refused, SourceError::NotADocument { .. }));
    assert!(
        refused
            .to_string()
            .contains("plan.json is no plan or state")
    );
    fs::write(root.join("main.tf"), [0xff]).unwrap();
    assert!(matches!(read(root, &none), Err(SourceError::NotText(_))));
    fs::write(root.join("main.tf"), "x".repeat(1 + (1 << 20))).unwrap();
    assert!(matches!(read(root, &none), Err(SourceError::LongFile(_))));
}

#[test]
fn variables_come_from_the_command_line_files_and_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prod.tfvars");
    fs::write(&file, "a = 2").unwrap();
    let environment = [("TF_VAR_x", "1"), ("PATH", "/bin")];
    let variables = Variables::read(
        &VariableArgs(vec![
            VariableArg::Value("a=1".to_owned()),
            VariableArg::File(file.clone()),
            VariableArg::Value("b={x=1}".to_owned()),
        ]),
        environment.map(|(k, v)| (k.to_owned(), v.to_owned())),
    )
    .unwrap();
    let value = |name: &str, value: &str| StackArgument::Value {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let file = StackArgument::File {
        path: file.to_string_lossy().into_owned(),
        text: "a = 2".to_owned(),
    };
    assert_eq!(
        variables.arguments,
        [value("a", "1"), file, value("b", "{x=1}")]
    );
    assert_eq!(variables.environment.len(), 1);
    let without = VariableArgs(vec![VariableArg::Value("a".to_owned())]);
    let refused = Variables::read(&without, []);
    assert!(matches!(refused, Err(SourceError::Variable(_))));
}
