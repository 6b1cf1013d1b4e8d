#!/usr/bin/env bash
# What the demo's stage two is compared with: stage one trained on for as many steps, and training
# from labels on as many frames as both stages together. Run after scripts/demo.sh.
#
#   bash scripts/demo_references.sh [OUT]      OUT and SEED as for the demo
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
out="${1:-$root/runs/demo}"
seed="${SEED:-0}"

# 12 epochs of 2 x 25 steps of 64 clips, as stage two has 24 epochs of 25 steps of 64 clips.
vireid baseline --config "$root/configs/demo_baseline.yaml" --data-dir "$out/data" \
    --seed "$seed" --weights "$out/baseline/encoder.safetensors" --pretrain-epochs 0 \
    --intra-epochs 0 --cross-epochs 12 --output "$out/control"
vireid mmm --config "$root/configs/demo_supervised.yaml" --data-dir "$out/data" --seed "$seed" \
    --output "$out/supervised"
