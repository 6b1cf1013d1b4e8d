#!/usr/bin/env bash
# Linter, formatter, type checker, the documentation site (into site/) and all tests. Arguments go to
# pytest.
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
python -m pytest "$@"
