"""``run.py baseline``: what the trivial predictors reach on the test set."""

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from commands.options import SIDE, Parser, add_as_of_train, add_data, add_loading
from commands.outputs import Folder, Output
from datasets import build_dataset
from datasets.loaders import evaluation_loader
from evaluation.metrics import THRESHOLD
from evaluation.run_names import ARGS_FILE
from evaluation.summary import SUMMARY_FILE, describe_metrics
from inference.scoring import score
from models.trivial import everything, mean_map
from training.data_options import describe_left_out
from utils.devices import pick_device, use_cores
from utils.files import staged_folder, write_json

WHAT = "trivial predictors"
PREDICTORS = ("everything", "mean_map")


def add_options(parser: Parser) -> None:
    add_data(parser)
    parser.add_argument("--exp_path", help="where the results go (default: exp/<data>_baseline)")
    parser.add_argument("--spatial_size", type=SIDE, default=224, help="side of the mean map, pixels")
    add_as_of_train(parser, "skip_missing_gaze")
    add_loading(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    names = (ARGS_FILE, SUMMARY_FILE, *map(_table_file, PREDICTORS))
    return [Folder("--exp_path", _folder(args), ours=f'"what": "{WHAT}"', names=names, sign=SUMMARY_FILE)]


def main(args: argparse.Namespace) -> int:
    """Score both trivial predictors and write their results."""
    folder, device = _folder(args), pick_device(args.device)
    _, args.num_worker = use_cores(device, threads=args.threads, loaders=args.num_worker)
    common = {"root": args.root, "spatial_size": args.spatial_size}
    test = build_dataset(args.data, split="test", **common)
    options = {"num_levels": 1, "augment": False, "has_labels": False, "skip_missing_gaze": args.skip_missing_gaze}
    train = build_dataset(args.data, split="train", **options, **common)
    if train.without_map:
        print(describe_left_out(train.without_map, len(train), SUMMARY_FILE))
    predictors = zip(PREDICTORS, (everything(args.spatial_size), mean_map(_pseudo_masks(train, args))), strict=True)
    loader = evaluation_loader(test, batch_size=args.batch_size, num_worker=args.num_worker)
    results: dict[str, dict] = {}
    with staged_folder(folder, last=SUMMARY_FILE) as staged:
        for name, predictor in predictors:
            file = _table_file(name)
            metrics = score(predictor.to(device), loader, test, device, staged, per_case_file=file, levels=False)
            results[name] = {"iteration": None, "metrics": metrics}
            print(f"{name.replace('_', ' ')}: {describe_metrics(metrics)}")
        scoring = {
            "root": str(args.root),
            "split": "test",
            "threshold": THRESHOLD,
            "ignore_value": test.spec.ignore_value,
        }
        summary = {"what": WHAT, "data": args.data, **scoring, "without_map": train.without_map, "results": results}
        write_json(staged / SUMMARY_FILE, summary)
    return 0


def _folder(args: argparse.Namespace) -> Path:
    return Path(args.exp_path or f"exp/{args.data}_baseline")


def _table_file(predictor: str) -> str:
    return f"per_case_{predictor}.csv"


def _pseudo_masks(train, args: argparse.Namespace) -> torch.Tensor:
    """The level-1 pseudo-masks of the training set, (N,S,S) uint8."""
    loader = evaluation_loader(train, batch_size=args.batch_size, num_worker=args.num_worker)
    masks = [m[0].to(torch.uint8) for batch in tqdm(loader, desc="mean map", disable=None) for m in batch["pseudo"]]
    return torch.stack(masks)
