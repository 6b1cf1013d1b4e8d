#!/usr/bin/env bash
# Damages what the commands read and looks how they end: CASES (2000) drawn from SEED (0). Prints each
# case that ended badly and a table of all. Further arguments go to the campaign (--help lists them).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"

cases="${1:-2000}" seed="${2:-0}"
export OMP_NUM_THREADS=1
PYTHONPATH="$root/tests${PYTHONPATH:+:$PYTHONPATH}" \
  python -m faults.bad_input_campaign --cases "$cases" --seed "$seed" "${@:3}"
