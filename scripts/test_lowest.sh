#!/usr/bin/env bash
# All tests with the oldest libraries that setup.py admits, in an environment of their own
# (.venv-lowest). PYTHON is the interpreter; Python 3.10 is the oldest. Arguments go to pytest.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
folder="$root/.venv-lowest"
if [ ! -x "$folder/bin/python" ]; then
    "${PYTHON:-python3.10}" -m venv "$folder"
fi
python="$folder/bin/python"
"$python" -m pip install --quiet --upgrade pip "setuptools>=68"
"$python" -m pip install --quiet --no-deps --editable "$root"
"$python" - <<'LIST' >"$folder/lowest.txt"
from importlib.metadata import requires

for line in requires("vireid"):
    if "extra ==" not in line or 'extra == "tensorboard"' in line:
        print(line.split(";")[0].replace(">=", "=="))
LIST
"$python" -m pip install --quiet --requirement "$folder/lowest.txt" \
    "pytest>=8" "pytest-random-order>=1.1" "pytest-xdist>=3.5" "hypothesis>=6.100"
exec "$python" -m pytest "$@"
