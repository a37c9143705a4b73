#!/usr/bin/env bash
# NCI-ISBI 2013, full supervision (80.58+-0.48 in the paper).
# Usage: ROOT=<data folder> EXP_PATH=<run folder> bash scripts/fullsup_prostate.sh [further options of run.py]
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
train -m full_sup --data prostate "$@"
