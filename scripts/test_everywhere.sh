#!/usr/bin/env bash
# All tests under the instruction sets, thread numbers and orders that other machines have, one
# after another (hours for the whole suite). Arguments go to pytest. Fails if one run fails. The oldest
# libraries have a script of their own, test_lowest.sh.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/environment.sh

# What the run is called | variables of its environment | arguments of pytest.
runs=(
    "this machine||"
    "torch without vectors|ATEN_CPU_CAPABILITY=default|"
    "torch with AVX2|ATEN_CPU_CAPABILITY=avx2|"
    "OpenBLAS of a Haswell|OPENBLAS_CORETYPE=Haswell|"
    "OpenBLAS of a Zen|OPENBLAS_CORETYPE=Zen|"
    "MKL with AVX2|MKL_ENABLE_INSTRUCTIONS=AVX2|"
    "MKL for any processor|MKL_CBWR=COMPATIBLE|"
    "oneDNN with AVX2|ONEDNN_MAX_CPU_ISA=AVX2|"
    "Numba for any processor|NUMBA_CPU_NAME=generic|"
    "one thread|OMP_NUM_THREADS=1|"
    "two threads|OMP_NUM_THREADS=2|"
    "four threads|OMP_NUM_THREADS=4|"
    "random order||--random-order --random-order-seed=$RANDOM"
    "three processes|OMP_NUM_THREADS=1|--numprocesses=3"
)
if grep -q avx512f /proc/cpuinfo 2>/dev/null; then
    runs+=(
        "torch with AVX-512|ATEN_CPU_CAPABILITY=avx512|"
        "OpenBLAS of a Skylake-X|OPENBLAS_CORETYPE=SkylakeX|"
    )
fi
summary=""
failed=0
for run in "${runs[@]}"; do
    IFS='|' read -r name variable words <<<"$run"
    printf '\n== %s: %s %s\n' "$name" "$variable" "$words"
    SECONDS=0
    # shellcheck disable=SC2086  # one variable or none, several arguments or none
    env $variable python -m pytest -q $words "$@"
    code=$?
    if [ "$code" = 0 ]; then state=passed; else state="FAILED ($code)"; failed=1; fi
    summary+="$(printf '%-26s %-12s %5d s   %s %s' "$name" "$state" "$SECONDS" "$variable" "$words")"$'\n'
done
printf '\n%s' "$summary"
exit "$failed"
