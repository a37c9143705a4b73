#!/usr/bin/env bash
# Sets up what is missing, then runs the linter and the tests; arguments go to pytest.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
bash "$root/scripts/setup.sh" --test
cd "$root"
.venv/bin/python -m ruff check .
exec .venv/bin/python -m pytest "$@"
