#!/usr/bin/env bash
# Whatever needs a GPU; `all`, the checks and the figures, takes one about ten minutes.
#
#   bash scripts/gpu_check.sh [--small] [--device cpu] checks|figures|tests|benchmarks|all [RESULTS]
#
# checks: trainings of every kind, resume, two processes, labels, memory; a line each, and what fails
# does not stop the rest. figures: time and memory of each step beside the plain form of it.
# tests: the tests marked gpu. benchmarks: the other tables. They go to RESULTS
# (benchmarks/results), named after the device. `--small --device cpu` tries every line of it
# anywhere. PYTHON names the interpreter; neither an environment nor an installation is needed, only
# the libraries, and of these neither faiss nor jsonargparse.
set -euo pipefail
flags=()
while [[ "${1:-}" == --* ]]; do
    case "$1" in
        --small) flags+=("$1"); shift ;;
        --device) flags+=("$1" "${2:-}"); shift 2 ;;
        *) break ;;
    esac
done
part="${1:-}"
case "$part" in
    checks | figures | tests | benchmarks | all) ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export VIREID_RESULTS="${2:+$(realpath -m "$2")}"
export VIREID_RESULTS="${VIREID_RESULTS:-$root/benchmarks/results}"
cd "$root"
# The repository root is the package: a link of that name makes it importable without installing.
names="$(mktemp -d)"
trap 'rm -r "$names"' EXIT
ln -s "$root" "$names/vireid"
export PYTHONPATH="$names:$root${PYTHONPATH:+:$PYTHONPATH}"
"${PYTHON:-python}" -m benchmarks.gpu_check "${flags[@]}" "$part"
