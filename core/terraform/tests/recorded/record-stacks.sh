#!/usr/bin/env bash
# Records what Terraform itself plans for every directory of stacks/: NAME.txt holds the files, NAME.json gets the changes,
# outputs and diagnostics. `record-stacks.sh NAME…` records only those. The documents of `terraform show -json` before and after
# the apply of some go to documents/. Needs a terraform binary; tests only read what was recorded.
set -euo pipefail
cd "$(dirname "$0")/stacks"
exec python3 - "$@" <<'PYTHON'
import json, os, re, shutil, subprocess, sys, tempfile

def files_of(text):
    """`-- path --` begins a file, as in Go's txtar."""
    out, name = {}, None
    for line in text.splitlines(keepends=True):
        head = re.match(r"^-- (.+) --$", line.rstrip("\n"))
        if head:
            name = head.group(1)
            out[name] = ""
        elif name:
            out[name] += line
    return out

def write(files, folder):
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

def clear(folder):
    for name in os.listdir(folder):
        if name.startswith("terraform.tfstate") or name == "other.tfstate":
            continue
        path = os.path.join(folder, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

def diagnostics(text):
    """Of the lines or the one document that a command with -json prints."""
    found = []
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and row.get("type") == "diagnostic":
            found.append(row["diagnostic"])
    try:
        found += json.loads(text).get("diagnostics", [])
    except (ValueError, AttributeError):
        pass
    return found

def shown(folder, found):
    rows = []
    for d in found:
        place = d.get("range")
        at = "%s:%d" % (place["filename"], place["start"]["line"]) if place else None
        detail = (d.get("detail") or "").replace(folder, "DIRECTORY")
        if d["summary"].startswith("Terraform encountered problems during init"):
            continue  # it only announces the others
        row = {"summary": d["summary"], "at": at, "detail": detail}
        if row not in rows:
            rows.append(row)
    return sorted(rows, key=lambda r: (r["at"] or "", r["summary"], r["detail"]))

def run(folder, env, *arguments):
    done = subprocess.run(["terraform", *arguments], cwd=folder, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr

DOCUMENTS = ("arguments-of-modules", "changes", "counts", "each", "modules-nested", "sensitive", "unknowns", "variables-types")

def document(name, kind, text):
    """As Terraform writes it, but for ids that it drew and the hour."""
    ids = {}
    number = lambda m: ids.setdefault(m.group(0), "00000000-0000-0000-0000-%012d" % (len(ids) + 1))
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", number, text)
    text = re.sub(r'"timestamp":"[^"]*"', '"timestamp":"2026-11-29T00:00:00Z"', text)
    with open("../documents/%s.%s.json" % (name, kind), "w") as file:
        file.write(text)

def record(name):
    files = files_of(open(name + ".txt").read())
    arguments = files.pop("arguments", "").splitlines()
    env = dict(os.environ, TF_IN_AUTOMATION="1", CHECKPOINT_DISABLE="1", TF_CLI_CONFIG_FILE="/dev/null")
    for line in files.pop("environment", "").splitlines():
        key, value = line.split("=", 1)
        env[key] = value
    before = {k.removeprefix("before/"): v for k, v in files.items() if k.startswith("before/")}
    files = {k: v for k, v in files.items() if not k.startswith("before/")}
    with tempfile.TemporaryDirectory() as folder:
        if before:
            write(before, folder)
            for command in (["init"], ["apply", "-auto-approve"]):
                code, out, err = run(folder, env, *command, "-no-color")
                assert code == 0, name + out + err
            clear(folder)
        write(files, folder)
        said = []
        code, out, err = run(folder, env, "init", "-json", "-no-color")
        said += diagnostics(out)
        if code == 0:
            code, out, err = run(folder, env, "plan", "-json", "-no-color", "-out=the.plan", *arguments)
            said += diagnostics(out)
        result = {
            "errors": shown(folder, [d for d in said if d["severity"] == "error"]),
            "warnings": shown(folder, [d for d in said if d["severity"] == "warning"]),
        }
        if code != 0:
            assert result["errors"], name + out + err
            return result
        code, out, err = run(folder, env, "show", "-json", "the.plan")
        assert code == 0, name + out + err
        plan = json.loads(out)
        if name in DOCUMENTS:
            document(name, "plan", out)
        def stable(value):
            """Ids that Terraform drew are taken out, so that recording again changes nothing."""
            if isinstance(value, dict):
                return {k: stable(v) for k, v in value.items()}
            if isinstance(value, list):
                return [stable(v) for v in value]
            if isinstance(value, str):
                return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", value)
            return value
        keep = ("actions", "before", "after", "after_unknown", "after_sensitive", "importing")
        def change(c):
            return {k: stable(c[k]) for k in keep if k in c}
        changes = {}
        for row in plan.get("resource_changes", []):
            changes[row["address"]] = change(row["change"])
            for name_of in ("previous_address", "action_reason"):
                if name_of in row:
                    changes[row["address"]][name_of] = row[name_of]
        result["resource_changes"] = changes
        result["output_changes"] = {k: change(c) for k, c in plan.get("output_changes", {}).items()}
        code, out, err = run(folder, env, "apply", "-no-color", "-auto-approve", *arguments)
        if code == 0:
            code, out, err = run(folder, env, "output", "-json")
            outputs = json.loads(out)
            if name in DOCUMENTS:
                document(name, "state", run(folder, env, "show", "-json")[1])
            result["outputs"] = {k: {"value": stable(o["value"]), "sensitive": o["sensitive"], "type": o["type"]} for k, o in outputs.items()}
        else:
            result["apply"] = "error"
        return result

names = sys.argv[1:] or sorted(n[:-4] for n in os.listdir(".") if n.endswith(".txt"))
for name in names:
    print(name, file=sys.stderr)
    with open(name + ".json", "w") as file:
        json.dump(record(name), file, indent=1, sort_keys=True, ensure_ascii=False)
        file.write("\n")
PYTHON
