#!/usr/bin/env bash
# Kvasir-SEG, gaze, two levels with propagation consistency: the released recipe (test Dice 77.80+-1.02 there).
# Usage: ROOT=<data folder> EXP_PATH=<run folder> bash scripts/gazesup_kvasir_2_levels.sh [further options of run.py]
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
train -m gaze_sup --data kvasir --num_levels 2 --cons_mode prop "$@"
