#!/usr/bin/env bash
# Records what Terraform itself makes of every line of expressions.txt: one JSON text or `error` a line.
# Needs a terraform binary; tests only read what was recorded.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
record() { # numbered lines on standard input
  : > "$work/main.tf"
  while IFS=$'\t' read -r number expr; do
    printf 'output "e%s" {\n  value = try(jsonencode([%s]), "error")\n}\n' "$number" "$expr" >> "$work/main.tf"
  done
  rm -f "$work"/terraform.tfstate*
  (cd "$work" && terraform apply -auto-approve -no-color > "$work/log" 2>&1)
}
awk '{ printf "%04d\t%s\n", NR, $0 }' expressions.txt > "$work/all"
cp "$work/all" "$work/good"; : > "$work/bad"
# What is wrong whatever the values stops the whole run: set those lines aside, by the place that is named.
while ! record < "$work/good"; do
  lines=$(grep -o 'main.tf line [0-9]*' "$work/log" | awk '{ print int(($3 + 2) / 3) }' | sort -un)
  [ -n "$lines" ] || { cat "$work/log"; exit 1; }
  for line in $lines; do sed -n "${line}p" "$work/good" | cut -f1 >> "$work/bad"; done
  awk 'NR == FNR { bad[$1]; next } !($1 in bad)' "$work/bad" "$work/good" > "$work/next"; mv "$work/next" "$work/good"
done
{ terraform version | head -1 | sed 's/^/# /'
  (cd "$work" && terraform output -json) | python3 -c '
import json, sys
found = json.load(sys.stdin)
for line in open(sys.argv[1]):
    number = line.split("\t")[0]
    row = found.get("e" + number)
    print(row["value"] if row else "error")' "$work/all"
} > terraform.txt
