#!/usr/bin/env bash
# The main job end to end on synthetic data: set up, make images and gaze, prepare, train, evaluate, compare.
# Leaves a table and pictures in exp/demo. On two CPU cores: four to eight minutes once set up.
# Usage: bash scripts/demo.sh
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
bash "$root/scripts/setup.sh"
cd "$root"
run() { .venv/bin/python run.py "$@"; }

data=data/demo
results=exp/demo
# The released method on a network and images small enough for a CPU. The test set is read once, at the end.
recipe=(--recipe small --data kvasir --root "$data" --device cpu --overwrite)

run demo --root "$data"
# Images for the prostate notebooks.
run demo --data prostate --root data/demo_prostate --num_train 24 --num_test 12
run prepare --data kvasir --root "$data" --fixations "$data/fixations.csv"
run train -m gaze_sup --num_levels 1 --exp_path "$results/gaze_one_level" "${recipe[@]}"
run train -m gaze_sup --num_levels 2 --exp_path "$results/gaze_two_levels" "${recipe[@]}"
# Beyond the paper: as many iterations as one level has, in two rounds whose labels are improved by gaze and network.
run train -m gaze_sup --num_levels 1 --exp_path "$results/gaze_two_rounds" "${recipe[@]}" \
    --pseudo area --fixations "$data/fixations.csv" --rounds 2 --round_ite 200 --max_ite 200 --val_step 200
for run in gaze_one_level gaze_two_levels gaze_two_rounds; do
    run evaluate --root "$data" --ckpt_path "$results/$run/model_latest.pth" --device cpu --save_pred --save_prob
done
run baseline --data kvasir --root "$data" --spatial_size 64 --exp_path "$results/trivial" --device cpu

echo
echo "Test scores on the made data ($results/table.md):"
run summarize "$results"/gaze_two_{rounds,levels} "$results/gaze_one_level" "$results/trivial" --to "$results/table.md"
echo
run compare "one level=$results/gaze_one_level/evaluate_test" "two levels=$results/gaze_two_levels/evaluate_test" \
    "two rounds=$results/gaze_two_rounds/evaluate_test" --metric dice --to "$results/compared" --report --fixations "$data/fixations.csv"
echo "Pictures: $data/gaze/examples.png and $results/gaze_two_levels/examples.png"
