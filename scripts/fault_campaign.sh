#!/usr/bin/env bash
# Ends commands at random moments and takes from them what they need, and looks whether anything is
# lost: KILLS (100) of each command that writes, a fifth as many of each other fault, drawn from SEED
# (0). Prints each fault and two tables. A disk can only be filled by root.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"

kills="${1:-100}" seed="${2:-0}"
export OMP_NUM_THREADS=1
export PYTHONPATH="$root/tests${PYTHONPATH:+:$PYTHONPATH}"
folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT
python -m faults.interruption_campaign --trials "$kills" --seed "$seed" --folder "$folder/kills" \
    2>"$folder/kills.log"
python -m faults.interruption_surroundings --trials "$(((kills + 4) / 5))" --seed "$seed" \
    --folder "$folder/faults" 2>"$folder/faults.log"
