#!/usr/bin/env bash
# NCI-ISBI 2013, gaze, one level at 0.2 (74.75+-1.58 in the paper, whose threshold is not published).
# Usage: ROOT=<data folder> EXP_PATH=<run folder> bash scripts/gazesup_prostate_1_level.sh [further options of run.py]
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
train -m gaze_sup --data prostate --num_levels 1 "$@"
