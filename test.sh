#!/bin/sh
# Installs everything that the tests need, then runs them all: lint, types, tests. Arguments go to pytest.
set -u
cd "$(dirname "$0")"
./setup.sh test || exit
status=0
.venv/bin/ruff check . || status=1
.venv/bin/ruff format --check --quiet . || { echo "ruff format: some files are not formatted; run .venv/bin/ruff format ." >&2; status=1; }
.venv/bin/mypy || status=1
# A worker that crashes ends the run: xdist 3.8 hangs where it replaces one (its issues 1323, 1327, 1378).
.venv/bin/python -m pytest -n 2 --dist loadgroup --max-worker-restart=0 -rR "$@" || status=1
exit $status
