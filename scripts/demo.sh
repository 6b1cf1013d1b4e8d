#!/usr/bin/env bash
# Renders a small synthetic set and learns from it, without labels, to find people across cameras.
#
#   bash scripts/demo.sh [OUT]          OUT is runs/demo of the repository by default
#   SEED=1 bash scripts/demo.sh OUT     other people, other cameras
#
# Interrupted? The same command goes on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
out="${1:-$root/runs/demo}"
seed="${SEED:-0}"

vireid synth "$out/data" --preset demo --seed "$seed"
# shellcheck disable=SC2046
vireid baseline --config "$root/configs/demo_baseline.yaml" --data-dir "$out/data" \
    --seed "$seed" --output "$out/baseline" $(go_on "$out/baseline")
# shellcheck disable=SC2046
vireid mmm --config "$root/configs/demo_mmm.yaml" --data-dir "$out/data" --seed "$seed" \
    --baseline "$out/baseline" --output "$out/mmm" $(go_on "$out/mmm")
vireid report "$out/mmm"
