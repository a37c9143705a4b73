#!/usr/bin/env bash
# Sets up what is missing, then runs the linter and the tests; arguments go to pytest.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
bash "$root/scripts/setup.sh" --test
cd "$root"
.venv/bin/python -m ruff check .
.venv/bin/python -m ruff format --check --quiet . || { echo 'test: not formatted; run: .venv/bin/ruff format .' >&2; exit 1; }
# A test file may take minutes: idle processes take over tests from busy ones (worksteal).
# One thread a process: more than the cores would wait for each other.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec .venv/bin/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal "$@"
