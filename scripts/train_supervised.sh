#!/usr/bin/env bash
# Trains M3-ReID from the data set's labels.
#
#   bash scripts/train_supervised.sh DATASET DATA_DIR OUT [settings of `vireid mmm`]
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
dataset="$1" data="$(realpath "$2")" out="$(realpath -m "$3")"
shift 3
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/environment.sh
vireid mmm --supervised --dataset "$dataset" --data-dir "$data" --output "$out" "$@"
vireid report "$out"
