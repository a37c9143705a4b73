#!/usr/bin/env bash
# Kvasir-SEG, gaze, one level, no consistency (73.74+-0.94 in the paper).
# Usage: ROOT=<data folder> EXP_PATH=<run folder> bash scripts/gazesup_kvasir_1_level.sh [further options of run.py]
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
train -m gaze_sup --data kvasir --num_levels 1 "$@"
