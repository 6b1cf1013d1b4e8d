#!/usr/bin/env bash
# The two steps without labels: baseline, then multi-memory matching.
#
#   bash scripts/train_unsupervised.sh DATASET DATA_DIR OUT
#
# BASELINE_CONFIG and MMM_CONFIG may name YAML files with other settings; see `vireid baseline
# --help` and `vireid mmm --help`. Interrupted? The same command goes on.
set -euo pipefail
if [ $# -ne 3 ]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
dataset="$1" data="$(realpath "$2")" out="$(realpath -m "$3")"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/environment.sh

settings() {
    if [ -n "$2" ]; then printf -- '--config\0%s\0' "$2"; fi
    if [ -e "$1/metrics.jsonl" ]; then printf -- '--resume\0'; fi
}

mapfile -d '' more < <(settings "$out/baseline" "${BASELINE_CONFIG:-}")
vireid baseline "${more[@]}" --dataset "$dataset" --data-dir "$data" --output "$out/baseline"
mapfile -d '' more < <(settings "$out/mmm" "${MMM_CONFIG:-}")
vireid mmm "${more[@]}" --dataset "$dataset" --data-dir "$data" --baseline "$out/baseline" \
    --output "$out/mmm"
vireid report "$out/mmm"
