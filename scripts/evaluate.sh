#!/usr/bin/env bash
# Ranks the test split with a trained network, under the usual protocols of the data set.
#
#   bash scripts/evaluate.sh DATASET DATA_DIR MODEL [settings of `vireid evaluate`]
#
# MODEL is a .safetensors file or a finished run folder. Further settings choose, for instance,
#   --protocol sysu-mm01/all/single,sysu-mm01/indoor/multi   --gallery official   --output RUN
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
vireid evaluate --dataset "$1" --data-dir "$2" --checkpoint "$3" "${@:4}"
