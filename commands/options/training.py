"""Options of ``train``: its settings by topic, and ``--test``, which means ``evaluate``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from commands.options.shared import add_evaluate
from commands.options.types import Parser
from training.recipes import RECIPES, described
from training.run_folder import LATEST_FILE
from training.settings import TOPICS, Levels, Running, Settings, declared_by_objectives
from utils.settings import add_settings, declared_settings


def add_train(parser: Parser) -> None:
    """Options of ``train``, by topic."""
    parser.usage = f"{parser.prog} --data NAME --root FOLDER [options]"
    for topic in TOPICS:
        group = parser.add_argument_group(topic.__doc__)
        add_settings(group, declared_settings(topic))
        if topic is Running:
            group.add_argument("--test", action="store_true", help="evaluate --ckpt_path instead of training")
        if topic is Levels:
            add_settings(parser.add_argument_group("objective (-m)"), declared_by_objectives().values())
    parser.epilog = f"recipes: {described()}"


def parse_training(parser: Parser, argv: Sequence[str]) -> Settings | argparse.Namespace:
    """A command line of ``train``: its Settings, or with ``--test`` the options of ``evaluate``."""
    args = parser.parse_args(argv)
    if RECIPES[args.recipe]:
        parser.set_defaults(**RECIPES[args.recipe])
        args = parser.parse_args(argv)
    if args.ckpt_path and Path(args.ckpt_path).is_dir():
        args.ckpt_path = str(Path(args.ckpt_path) / LATEST_FILE)
    if args.test:
        return _evaluation(parser, args)
    options = {name: value for name, value in vars(args).items() if name != "test"}
    try:
        return Settings.of(**options)
    except ValueError as error:
        parser.error(str(error))


def _evaluation(parser: Parser, args: argparse.Namespace) -> argparse.Namespace:
    """The options of ``evaluate``, as far as given here, else by its defaults, which mean as trained."""
    if args.seeds:
        parser.error("--seeds: expected without --test, found both; evaluate one checkpoint at a time")
    if not args.ckpt_path:
        parser.error("--test: expected --ckpt_path, the checkpoint to evaluate, found none")
    args.command, args.ckpt_path = "evaluate", [args.ckpt_path]
    evaluating = Parser()
    add_evaluate(evaluating)
    defaults = {action.dest: action.default for action in evaluating._actions if action.dest != "help"}
    given = {name: value for name, value in vars(args).items() if value != parser.get_default(name)}
    # Scripts name the fixation table, which evaluate takes for a report alone.
    return argparse.Namespace(**vars(args) | defaults | given | {"fixations": None})
