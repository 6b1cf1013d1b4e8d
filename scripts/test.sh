#!/usr/bin/env bash
# Linter, formatter, type checker and all tests. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/environment.sh

ruff check .
ruff format --check .
# The repository root is the package, so the type checker needs a folder that calls it by name.
names="$(mktemp -d)"
trap 'rm -r "$names"' EXIT
ln -s "$PWD" "$names/vireid"
MYPYPATH="$names" mypy -p vireid
python -m pytest "$@"
