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
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
# shellcheck disable=SC2046
vireid baseline ${BASELINE_CONFIG:+--config "$BASELINE_CONFIG"} --dataset "$1" --data-dir "$2" \
    --output "$3/baseline" $(go_on "$3/baseline")
# shellcheck disable=SC2046
vireid mmm ${MMM_CONFIG:+--config "$MMM_CONFIG"} --dataset "$1" --data-dir "$2" \
    --baseline "$3/baseline" --output "$3/mmm" $(go_on "$3/mmm")
vireid report "$3/mmm"
