# Sourced by the other scripts: names the repository $root, makes its .venv once with the project
# installed, and activates it; or the environment that VIREID_ENV names. PYTHON makes the .venv.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if [ -n "${VIREID_ENV:-}" ]; then
    . "$VIREID_ENV/bin/activate"
else
    if [ ! -x "$root/.venv/bin/python" ]; then
        "${PYTHON:-python3}" -m venv "$root/.venv"
    fi
    . "$root/.venv/bin/activate"
    stamp="$root/.venv/installed-$(cksum <"$root/setup.py" | tr ' ' '-')"
    if [ ! -e "$stamp" ]; then
        echo "installing vireid into .venv (PyTorch is large; once)"
        python -m pip install --quiet --upgrade pip
        python -m pip install --quiet --editable "$root[dev]"
        touch "$stamp"
    fi
fi
# `--resume` for a run that has begun.
go_on() { if [ -e "$1/metrics.jsonl" ]; then echo --resume; fi; }
