# Sourced by the other scripts: makes .venv once, installs the project into it, activates it.
if [ -n "${VIREID_ENV:-}" ]; then
    . "$VIREID_ENV/bin/activate"
else
    if [ ! -x .venv/bin/python ]; then
        "${PYTHON:-python3}" -m venv .venv
    fi
    . .venv/bin/activate
    stamp=".venv/installed-$(cksum <setup.py | tr ' ' '-')"
    if [ ! -e "$stamp" ]; then
        echo "installing vireid into .venv (PyTorch is large; once)"
        python -m pip install --quiet --upgrade pip
        python -m pip install --quiet --editable ".[dev]"
        touch "$stamp"
    fi
fi
