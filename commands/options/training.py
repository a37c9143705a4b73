"""Options of ``train``: model, levels, recipe; and which contradict each other."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from commands.options.evaluating import add_evaluate
from commands.options.shared import (
    add_data_to,
    add_device_to,
    add_loading_to,
    add_skip_missing_gaze,
    add_split_to,
)
from commands.options.types import NATURAL, NOT_NEGATIVE, POSITIVE, POSITIVE_INT, Parser, number, numbers
from datasets.cache import CACHES
from datasets.specs import RELEASED_SPATIAL_SIZE
from training.recipes import RECIPES, described
from training.run_folder import LATEST_FILE
from training.schedule import SCHEDULERS

RELEASED_ENSEMBLE = "logits"
OPTIMIZERS = ("sgd", "adam", "adamw")
AMP_MODES = ("off", "bf16", "fp16", "auto")
SELECTIONS = ("best", "last")


def add_train(parser: Parser) -> None:
    """Options of ``train``, by topic."""
    # Here and below: the registries of models and losses bring torch along, which takes most of the start of
    # commands that train nothing.
    from losses.objectives import OBJECTIVES

    parser.usage = f"{parser.prog} --data NAME --root FOLDER [options]"
    group = parser.add_argument_group("what most runs need")
    add_data_to(group)
    group.add_argument("-m", "--mode", "--method", choices=tuple(OBJECTIVES), default="gaze_sup", help="supervision")
    group.add_argument(
        "--recipe",
        choices=tuple(RECIPES),
        default="released",
        help=f"a set of defaults, which options given go before: {', '.join(RECIPES)} (listed at the end)",
    )
    group.add_argument("--exp_path", default=None, help="run folder (default: exp/<data>_<mode>_..., printed)")
    group.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in the run folder (or at --ckpt_path); start it where there is none yet",
    )
    group.add_argument(
        "--seeds",
        type=numbers(NATURAL),
        default=None,
        metavar="N,N,...",
        help="one run a seed, one after another, each in <exp_path>/seed<N>, and a table over them at the end",
    )
    group.add_argument(
        "--max_minutes",
        type=POSITIVE,
        default=None,
        help="save and stop before so many minutes, of all seeds together, are over (exit code 130); --resume goes on",
    )
    add_split_to(group)
    add_device_to(group)
    _add_run(parser)
    _add_model(parser)
    _add_levels(parser)
    _add_objectives(parser)
    _add_rounds(parser)
    _add_recipe(parser)
    _add_further(parser)
    _add_engine(parser)
    add_loading_to(parser.add_argument_group("loading"))
    _add_cache(parser)
    parser.epilog = f"recipes: {described()}"


def _add_run(parser: Parser) -> None:
    group = parser.add_argument_group("run")
    group.add_argument("--overwrite", action="store_true", help="replace a run that is already in the run folder")
    group.add_argument("--ckpt_path", default=None, help="weights to start from, or with --test to evaluate")
    group.add_argument("--test", action="store_true", help="evaluate --ckpt_path instead of training")
    group.add_argument("--save_pred", action="store_true", help="write the test predictions as PNG")
    group.add_argument(
        "--seed", type=NATURAL, default=None, help="of weights, order, flips and validation split (default: 0)"
    )
    group.add_argument("--log_step", type=POSITIVE_INT, default=50, help="iterations between log lines")
    group.add_argument("--val_step", type=POSITIVE_INT, default=1000, help="iterations between validations")
    group.add_argument("--save_step", type=POSITIVE_INT, default=1000, help="iterations between checkpoints")
    group.add_argument("--keep_all", action="store_true", help="keep each of them, as model_ite<N>.pth")
    group.add_argument(
        "--wandb", action="store_true", help="log to Weights & Biases too (package in requirements-wandb.txt)"
    )
    group.add_argument("--finalize", action="store_true", help="of the reference; does nothing here")


def _add_cache(parser: Parser) -> None:
    group = parser.add_argument_group("cache of read and resized training images; results do not depend on it")
    group.add_argument("--cache", choices=CACHES, default="memory", help="disk: later runs find it again")
    group.add_argument(
        "--cache_gb",
        type=number(float, 0, math.inf),
        default=2.0,
        help="bound on all of it on this machine, in 1e9 bytes; 0: off",
    )
    group.add_argument("--cache_dir", default=None, help="folder for --cache disk (default: <root>/.cache)")


def _add_model(parser: Parser) -> None:
    from models import MODELS, RELEASED_FEATURES
    from models.multi_level import INITS
    from models.pretrained import PACKAGES
    from models.registry import DEFAULT_ENCODER
    from models.smp_unet import DECODER_CHANNELS

    group = parser.add_argument_group("model")
    group.add_argument("--model", choices=tuple(MODELS), default="unet", help="network of each level")
    group.add_argument(
        "--in_channels", type=POSITIVE_INT, default=None, help="image channels (default: the data set's)"
    )
    group.add_argument(
        "--features",
        type=numbers(int),
        default=RELEASED_FEATURES,
        metavar="F,F,F,F,F,F",
        help=(
            "channels of the unet: five resolutions and the last stage "
            f"(default: {','.join(map(str, RELEASED_FEATURES))})"
        ),
    )
    group.add_argument(
        "--feat_dim",
        type=POSITIVE_INT,
        default=None,
        help="channels of the full-resolution feature (default: the last of --features)",
    )
    group.add_argument("--encoder", default=DEFAULT_ENCODER, help="encoder of the smp-unet")
    group.add_argument(
        "--encoder_weights",
        default=None,
        help=(
            "of the encoder: a .pth or .safetensors file; package:NAME, as "
            f"{', '.join(PACKAGES)}, from an installed package; or imagenet, which is downloaded if not cached "
            "(default: from scratch)"
        ),
    )
    group.add_argument(
        "--decoder_channels",
        type=numbers(int),
        default=DECODER_CHANNELS,
        metavar="C,C,C,C,C",
        help=f"of the smp-unet, from the smallest resolution on (default: {','.join(map(str, DECODER_CHANNELS))})",
    )
    group.add_argument("--init", choices=INITS, default="copy", help="start all levels alike (released) or not (paper)")


def _add_levels(parser: Parser) -> None:
    from models.multi_level import CONS_MODES, ENSEMBLES
    from models.propagation import SIMILARITIES

    group = parser.add_argument_group("levels and consistency")
    group.add_argument(
        "--num_levels",
        type=POSITIVE_INT,
        default=None,
        help="pseudo-mask levels (default: one a threshold of the data set, 2 as released; 1 for full_sup)",
    )
    group.add_argument(
        "--level_thresholds",
        type=numbers(float),
        default=None,
        metavar="T,T,...",
        help="a threshold on the CRF map for each level (default: the data set's)",
    )
    group.add_argument(
        "--cons_mode",
        choices=CONS_MODES,
        default="prop",
        help="consistency with propagated features or without",
    )
    group.add_argument(
        "--prop_similarity",
        choices=SIMILARITIES,
        default="dot",
        help="dot as released, cosine as in the paper's text",
    )
    group.add_argument("--prop_kernel_size", type=POSITIVE_INT, default=5, help="side of the window, odd")
    group.add_argument("--prop_dilation", type=POSITIVE_INT, default=2, help="step in the window, pixels")
    group.add_argument(
        "--ensemble",
        choices=tuple(ENSEMBLES),
        default=None,
        help=(
            "what the prediction averages over levels, and so what the best checkpoint is chosen by (default: logits, "
            "as released; with --test as trained)"
        ),
    )


def _add_objectives(parser: Parser) -> None:
    """What the objectives declare and no other option is called like."""
    from losses.objectives import OBJECTIVES, settings_of

    group = parser.add_argument_group("objective (-m)")
    known = {action.dest for action in parser._actions}
    for name, declared in {k: v for mode in OBJECTIVES for k, v in settings_of(mode).items()}.items():
        if name not in known:
            low = declared.metadata["low"]
            kind = {} if low is None else {"type": number(type(declared.default), low)}
            said = {key: declared.metadata[key] for key in ("choices", "help")}
            group.add_argument(f"--{name}", default=declared.default, **said, **kind)


def _add_rounds(parser: Parser) -> None:
    from datasets.gaze.policies import POLICIES

    group = parser.add_argument_group("rounds: the network labels the training images together with their gaze")
    group.add_argument("--rounds", type=POSITIVE_INT, default=1, help="trainings, one after another, all kept")
    group.add_argument(
        "--pseudo",
        choices=tuple(POLICIES),
        default="levels",
        help=(
            "how labels are made: levels, the CRF map as released; area, map, hull of the gaze and network, cut at "
            "the area that the gaze foretells; fusion, fitted on --masks; network, without gaze, from --masks on"
        ),
    )
    group.add_argument("--fixations", default=None, help="the fixation table, for --pseudo area and fusion")
    group.add_argument(
        "--masks",
        type=NATURAL,
        default=0,
        metavar="N",
        help="training images, drawn by the seed, whose masks may be used: to fit the labels on, and as labels",
    )
    group.add_argument("--round_ite", type=POSITIVE_INT, default=None, help="of rounds before the last (--max_ite)")
    group.add_argument(
        "--map_folder",
        default=None,
        help="gaze maps to train on, <id>.png of any size (default: those of the data folder, gaze/crf_compat1)",
    )
    group.add_argument(
        "--round_size", type=number(int, 16), default=None, help="network input of rounds before the last"
    )


def _add_recipe(parser: Parser) -> None:
    group = parser.add_argument_group("recipe (defaults: as released)")
    group.add_argument("--max_ite", type=POSITIVE_INT, default=15000, help="iterations")
    group.add_argument(
        "--spatial_size", type=number(int, 16), default=None, help="side of the network input, pixels (default: 224)"
    )
    group.add_argument("--opt", type=optimizer, choices=OPTIMIZERS, default="sgd", help="sgd: Nesterov momentum 0.99")
    group.add_argument("--lr", type=POSITIVE, default=1e-2, help="highest learning rate")
    group.add_argument("--lr_min", type=NOT_NEGATIVE, default=1e-4, help="last learning rate")
    group.add_argument(
        "--lr_scheduler",
        type=scheduler,
        choices=tuple(SCHEDULERS),
        default="cosine",
        help="an epoch at a time, or an iteration: onecycle; also cos and none, the reference's words",
    )
    group.add_argument(
        "--warmup_ite", type=NATURAL, default=0, help="iterations of linear warm-up, rounded up to epochs"
    )
    group.add_argument("--weight_decay", type=NOT_NEGATIVE, default=4e-4, help="weight decay")
    group.add_argument(
        "--data_size_rate",
        type=number(float, 0, 1, open_low=True),
        default=1.0,
        help="share of the training images to use: the first of the split file, as released",
    )
    group.add_argument("--draw_subset", action="store_true", help="draw that share by the seed")
    add_skip_missing_gaze(group)
    group.add_argument("--flip_prob", type=number(float, 0, 1), default=0.5, help="probability of each flip")


def _add_further(parser: Parser) -> None:
    from datasets.augment import AUGMENTATIONS

    group = parser.add_argument_group("recipe, beyond the released one")
    group.add_argument(
        "--augment", choices=tuple(AUGMENTATIONS), default="flips", help="full: also turns, scales, shifts and colours"
    )
    group.add_argument(
        "--antialias",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="resize images by averaging all pixels that become one (default: by four of them, as released)",
    )
    group.add_argument(
        "--ema",
        type=number(float, 0, 1),
        default=0.0,
        metavar="DECAY",
        help="predict with the running mean of the weights over the second half, of this decay an iteration; 0: off",
    )
    group.add_argument(
        "--select", choices=SELECTIONS, default="best", help="the checkpoint: best on the split at hand, or the last"
    )


def _add_engine(parser: Parser) -> None:
    group = parser.add_argument_group("computation (results agree up to rounding, or exactly)")
    group.add_argument(
        "--amp",
        choices=AMP_MODES,
        default=None,
        help="mixed precision (default: off); auto: bf16 if computed natively",
    )
    group.add_argument("--fp16", action="store_true", help="as --amp fp16 on a GPU, and --amp bf16 on the CPU")
    group.add_argument(
        "--channels_last",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="memory layout with the channels innermost (default: on a CPU, where it is faster)",
    )
    group.add_argument("--compile", action="store_true", help="compile each level's network (torch.compile)")
    group.add_argument(
        "--checkpoint_levels",
        action="store_true",
        help="compute activations again for the gradients, a level at a time: less memory, more time, the same numbers",
    )
    group.add_argument(
        "--deterministic", action="store_true", help="the same bits from the same seed on CUDA too, slower"
    )
    group.add_argument(
        "--profile",
        type=POSITIVE_INT,
        default=None,
        metavar="N",
        help="trace N steps, from the fourth on, with torch's profiler into <exp_path>/profile",
    )


def scheduler(text: str) -> str:
    """A type for schedules, also by the reference's words."""
    return {"cos": "cosine", "none": "constant"}.get(text, text)


def optimizer(text: str) -> str:
    """A type for optimizers; argparse.ArgumentTypeError for the reference's default."""
    if text == "a":
        raise argparse.ArgumentTypeError(
            "expected an optimizer, found 'a', the reference's default, which is none: its scripts say --opt sgd"
        )
    return text


def parse_training(parser: Parser, argv: Sequence[str]) -> argparse.Namespace:
    """A command line of ``train``, with the defaults of its recipe and what follows from its options."""
    args = parser.parse_args(argv)
    if RECIPES[args.recipe]:
        parser.set_defaults(**RECIPES[args.recipe])
        args = parser.parse_args(argv)
    args.command = "evaluate" if args.test else "train"
    args.ckpt_path = _checkpoint_file(args.ckpt_path)
    complete_training(parser, args)
    return args


def _checkpoint_file(path: str | None) -> str | None:
    """Of a run folder its latest checkpoint."""
    return str(Path(path) / LATEST_FILE) if path and Path(path).is_dir() else path


def complete_training(parser: Parser, args: argparse.Namespace) -> None:
    """Fill in what follows from other options; exit with one line where they contradict each other."""
    from losses.objectives import learns_from_gaze

    if args.test:
        if args.seeds:
            parser.error("--seeds: expected without --test, found both; evaluate one checkpoint at a time")
        if not args.ckpt_path:
            parser.error("--test: expected --ckpt_path, the checkpoint to evaluate, found none")
        args.ckpt_path = [args.ckpt_path]
        for name, default in _defaults_of_evaluate().items():
            if not hasattr(args, name):
                setattr(args, name, default)
        return
    gaze = learns_from_gaze(args.mode)
    if not gaze and RECIPES[args.recipe]:
        # Labels that are all there need no rounds.
        args.rounds, args.pseudo = 1, "levels"
    if args.num_levels is None and args.level_thresholds:
        args.num_levels = len(args.level_thresholds)
    for message in _contradictions(args, gaze):
        parser.error(message)
    if not args.seeds:
        args.seed = args.seed or 0
    args.spatial_size = args.spatial_size or RELEASED_SPATIAL_SIZE
    args.ensemble = args.ensemble or RELEASED_ENSEMBLE
    args.is_last_round, args.work_after = True, 0


def _defaults_of_evaluate() -> dict:
    parser = Parser()
    add_evaluate(parser)
    return vars(parser.parse_args(["--root=", "--ckpt_path="]))


def _contradictions(args: argparse.Namespace, gaze: bool):
    from models.registry import DEFAULT_ENCODER, takes

    if args.level_thresholds and not gaze:
        yield f"--level_thresholds: expected -m gaze_sup, found -m {args.mode}, which has no pseudo-masks"
    if args.level_thresholds and len(args.level_thresholds) != args.num_levels:
        yield f"--level_thresholds: expected {args.num_levels} (--num_levels), found {len(args.level_thresholds)}"
    if args.skip_missing_gaze and not gaze:
        yield f"--skip_missing_gaze: expected -m gaze_sup, found -m {args.mode}, which needs no gaze"
    if args.encoder != DEFAULT_ENCODER and "encoder" not in takes(args.model):
        yield f"--encoder: expected --model smp-unet, found --model {args.model}, which has an encoder of its own"
    if args.encoder_weights and "encoder_weights" not in takes(args.model):
        yield f"--encoder_weights: expected --model smp-unet, found --model {args.model}, which starts from scratch"
    if len(args.decoder_channels) != 5 or min(args.decoder_channels) < 1:
        yield f"--decoder_channels: expected five numbers of 1 or more, found {list(args.decoder_channels)}"
    if args.lr_min > args.lr:
        yield f"--lr_min {args.lr_min}: expected at most --lr, found --lr {args.lr}"
    if args.prop_kernel_size % 2 == 0:
        yield f"--prop_kernel_size: expected an odd number, found {args.prop_kernel_size}"
    if args.cache_dir and args.cache != "disk":
        yield f"--cache_dir: expected --cache disk, found --cache {args.cache}"
    if args.amp and args.fp16:
        yield f"--fp16: expected without --amp, found --amp {args.amp}"
    if args.resume and args.overwrite:
        yield "--resume: expected without --overwrite, found both"
    yield from _contradictions_of_rounds(args, gaze)
    yield from _contradictions_of_seeds(args)


def _contradictions_of_rounds(args: argparse.Namespace, gaze: bool):
    from datasets.gaze.policies import NEED_GAZE, NEED_MASKS

    if not gaze and (args.rounds > 1 or args.pseudo != "levels" or args.masks):
        yield f"--rounds, --pseudo, --masks: expected -m gaze_sup, found -m {args.mode}, which has every mask"
    if args.pseudo in NEED_GAZE and not args.fixations:
        yield f"--pseudo {args.pseudo}: expected --fixations, the fixation table, found none"
    if args.pseudo in NEED_MASKS and not args.masks:
        yield f"--pseudo {args.pseudo}: expected --masks, the number of masks to start from, found none"
    if args.map_folder and (args.rounds > 1 or args.pseudo != "levels" or args.masks):
        yield "--map_folder: expected without --rounds, --pseudo and --masks, which make maps of their own, found both"


def _contradictions_of_seeds(args: argparse.Namespace):
    if not args.seeds:
        return
    if args.seed is not None:
        yield "--seeds: expected without --seed, found both"
    if len(set(args.seeds)) < len(args.seeds):
        yield f"--seeds: expected each seed once, found {','.join(map(str, args.seeds))}"
