#!/usr/bin/env bash
# `skybridge plan` of generated directories: CPU time, wall clock and memory, by number of resources in 20 modules:
# networks with subnets of 20 modules that are written out, and many types of both clouds in modules with `count`.
# bench/plan.sh [RUNS] [RESOURCES…]; SKYBRIDGE=path measures a binary that is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-5}; shift || true
[ $# -gt 0 ] || set -- 100 1000 2000 10000
if [ -z "${SKYBRIDGE:-}" ]; then
  cargo build --release --quiet -p skybridge
  SKYBRIDGE=target/release/skybridge
fi
SKYBRIDGE=$(realpath "$SKYBRIDGE")
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
export XDG_RUNTIME_DIR="$work"; chmod 700 "$work"

# A directory of N resources: 20 modules that each take their share, a network with subnets and rules.
generate() { # folder, resources
  local folder=$1 each=$(( $2 / 20 )) module
  mkdir -p "$folder/net"
  {
    printf 'variable "address" { type = string }\nvariable "name" { type = string }\n'
    printf 'resource "azurerm_virtual_network" "this" {\n  name = var.name\n  resource_group_name = "g"\n  location = "westeurope"\n  address_space = [var.address]\n}\n'
    for ((i = 0; i < each - 1; i++)); do
      printf 'resource "azurerm_subnet" "s%d" {\n  name = "s%d-${var.name}"\n  resource_group_name = "g"\n  virtual_network_name = azurerm_virtual_network.this.name\n  address_prefixes = [cidrsubnet(var.address, 12, %d)]\n}\n' "$i" "$i" "$i"
    done
    printf 'output "id" { value = azurerm_virtual_network.this.id }\n'
  } > "$folder/net/main.tf"
  for ((module = 0; module < 20; module++)); do
    printf 'module "m%d" {\n  source = "./net"\n  name = "n%d"\n  address = "10.%d.0.0/16"\n}\n' "$module" "$module" "$module"
  done > "$folder/main.tf"
}

# About N resources of ten types in ten modules of each cloud.
mix() { # folder, resources
  local folder=$1 each=$(( $2 / 20 ))
  mkdir -p "$folder/azure" "$folder/oci"
  cp bench/plan/azure.tf "$folder/azure/main.tf"
  cp bench/plan/oci.tf "$folder/oci/main.tf"
  {
    printf 'provider "azurerm" {\n  features {}\n}\nprovider "oci" {\n  region = "eu-frankfurt-1"\n}\n'
    printf 'module "azure" {\n  source = "./azure"\n  count = 10\n  i = count.index\n  n = %d\n}\n' $(( (each - 4) / 6 ))
    printf 'module "oci" {\n  source = "./oci"\n  count = 10\n  i = count.index\n  n = %d\n}\n' $(( (each - 4) / 4 ))
  } > "$folder/main.tf"
}

measure() { # label, resources, folder
  local run
  for ((run = 0; run < runs; run++)); do
    /usr/bin/time -f '%U %e %M' -o "$work/time" "$SKYBRIDGE" plan "$3" --output json > /dev/null
    cat "$work/time"
  done | sort -n | awk -v n="$2" -v label="$1" '{ c[NR] = $1; s[NR] = $2; m[NR] = $3 }
    END { i = int((NR + 1) / 2); printf "%6d resources, %s: %.2f s CPU (%.2f s wall), %.0f MiB, %.3f ms CPU each\n", n, label, c[i], s[i], m[i] / 1024, 1000 * c[i] / n }'
}

echo "load: $(cut -d' ' -f1-3 /proc/loadavg)"
for count in "$@"; do
  generate "$work/$count" "$count"
  measure subnets "$count" "$work/$count"
done
for count in "$@"; do
  mix "$work/mix$count" "$count"
  measure "many types" "$count" "$work/mix$count"
done
