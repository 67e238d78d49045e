#!/bin/sh
# Installs everything that the tests need, then runs them all: lint, types, tests. Arguments go to pytest.
set -u
cd "$(dirname "$0")"
./setup.sh test || exit
status=0
.venv/bin/ruff check . || status=1
.venv/bin/ruff format --check --quiet . || { echo "ruff format: some files are not formatted; run .venv/bin/ruff format ." >&2; status=1; }
.venv/bin/mypy || status=1
if [ $# -gt 0 ]; then
    .venv/bin/python -m pytest -rRs "$@" || status=1
else
    # Tests on real sound servers mostly wait: one after the other, beside all the others.
    mkdir -p build
    .venv/bin/python -m pytest -rRs tests/live >build/tests_live.log 2>&1 &
    .venv/bin/python -m pytest -rRs --ignore=tests/live || status=1
    wait $! || status=1
    cat build/tests_live.log
fi
exit $status
