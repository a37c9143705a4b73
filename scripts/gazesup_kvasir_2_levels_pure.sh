#!/usr/bin/env bash
# Kvasir-SEG, gaze, two levels, consistency without propagated features.
# Usage: ROOT=<data folder> EXP_PATH=<run folder> bash scripts/gazesup_kvasir_2_levels_pure.sh [further options of run.py]
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
train -m gaze_sup --data kvasir --num_levels 2 --cons_mode pure "$@"
