#!/usr/bin/env bash
# Kvasir-SEG, full supervision (82.12+-1.11 in the paper).
# Usage: ROOT=<data folder> EXP_PATH=<run folder> bash scripts/fullsup_kvasir.sh [further options of run.py]
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
train -m full_sup --data kvasir "$@"
