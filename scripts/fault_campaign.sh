#!/usr/bin/env bash
# What happens when things go wrong. Damages what the commands read (CASES, 2000), ends commands at
# random moments (KILLS of each command that writes, 100) and takes from them what they need (a fifth
# as many of each fault), all drawn from SEED (0), and looks whether anything is lost or ends without
# a message. Prints each fault and a table of each part. A disk can only be filled by root.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"

cases="${1:-2000}" kills="${2:-100}" seed="${3:-0}"
export OMP_NUM_THREADS=1
export PYTHONPATH="$root/tests${PYTHONPATH:+:$PYTHONPATH}"
folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT
mkdir "$folder/input"
python -m faults.bad_input_campaign --cases "$cases" --seed "$seed" --folder "$folder/input"
python -m faults.interruption_campaign --trials "$kills" --seed "$seed" --folder "$folder/kills" \
    2>"$folder/kills.log"
python -m faults.interruption_surroundings --trials "$(((kills + 4) / 5))" --seed "$seed" \
    --folder "$folder/faults" 2>"$folder/faults.log"
