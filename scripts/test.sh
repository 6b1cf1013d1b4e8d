#!/usr/bin/env bash
# Linter, formatter, type checker, the documentation site (into site/) and all tests. Arguments go to
# pytest, for instance --numprocesses=0 for one process, in which a debugger works.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$root"

ruff check .
ruff format --check .
# The repository root is the package, so the type checker needs a folder that calls it by name.
names="$(mktemp -d)"
trap 'rm -r "$names"' EXIT
ln -s "$root" "$names/vireid"
MYPYPATH="$names" mypy -p vireid
# Strictly: a broken link or a reference to nothing ends it.
NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
# Two processes of one thread each: networks as small as those of the tests gain little from threads.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
python -m pytest --numprocesses=2 --dist=loadfile "$@"
