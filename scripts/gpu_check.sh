#!/usr/bin/env bash
# Whatever needs a GPU, in parts of at most ten minutes each.
#
#   bash scripts/gpu_check.sh [--small] tests|benchmarks|supervised|unsupervised|all [RESULTS]
#
# tests: the tests marked gpu. benchmarks: tables of time and memory. supervised, unsupervised:
# trainings on the synthetic bench set with ResNet-50 from random weights. Tables go to
# RESULTS (benchmarks/results), named after the device. --small tries the script anywhere, at a
# tiny size. PYTHON names the interpreter; neither an environment nor an installation is needed,
# only the libraries. Scratch files lie in runs/gpu_check.
set -euo pipefail
small=""
if [ "${1:-}" = --small ]; then small=--small; shift; fi
part="${1:-}"
case "$part" in
    tests | benchmarks | supervised | unsupervised | all) ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
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
"${PYTHON:-python}" -m benchmarks.gpu_check $small "$part"
