#!/usr/bin/env bash
# NCI-ISBI 2013, gaze, two levels with propagation consistency: the released recipe (77.64+-0.57 there).
# Usage: ROOT=<data folder> EXP_PATH=<run folder> bash scripts/gazesup_prostate_2_levels.sh [further options of run.py]
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
train -m gaze_sup --data prostate --num_levels 2 --cons_mode prop "$@"
