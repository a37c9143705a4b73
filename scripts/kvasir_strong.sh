#!/usr/bin/env bash
# Kvasir-SEG from gaze alone, as well as a laptop can in an hour: pretrained encoder, four rounds of labels.
# Usage: ROOT=<data folder> EXP_PATH=<run folder> FIXATIONS=<kvasir_fixation.csv> bash scripts/kvasir_strong.sh [options]
# With --masks 45, that many training masks calibrate the labels and are used as labels. Further options are those of
# run.py train, as --seeds 0,1,2; with --resume the same command goes on where it was stopped.
# Time on two CPU cores: two minutes for the gaze, then about 50 a seed.
set -euo pipefail
more=FIXATIONS
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
# Takes seconds if all maps are there; maps of another table are made anew.
"$python" "$repository/run.py" prepare --data kvasir --root "$ROOT" --fixations "$FIXATIONS" || [[ $? == 1 ]]
[[ " $* " != *' --masks'[\ =]* ]] || set -- --pseudo fusion "$@"
train --recipe strong --data kvasir --fixations "$FIXATIONS" "$@"
