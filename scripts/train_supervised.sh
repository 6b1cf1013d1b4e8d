#!/usr/bin/env bash
# Trains M3-ReID from the data set's labels, by the published recipe where there is one in configs/.
#
#   bash scripts/train_supervised.sh DATASET DATA_DIR OUT [settings of `vireid mmm`]
#
# Interrupted? The same command with --resume goes on.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
dataset="$1" data="$2" out="$3"
shift 3
recipe="$root/configs/m3reid_${dataset//-/_}.yaml"
if [ -e "$recipe" ]; then set -- --config "$recipe" "$@"; fi
vireid mmm "$@" --supervised --dataset "$dataset" --data-dir "$data" --output "$out"
vireid report "$out"
