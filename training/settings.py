"""Settings of a training: each declared once, for Python and as an option of ``train``, with their checks."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from datasets.augment import AUGMENTATIONS
from datasets.cache import CACHES
from datasets.gaze.policies import NEED_GAZE, NEED_MASKS, POLICIES
from datasets.specs import DATASETS, RELEASED_SPATIAL_SIZE
from evaluation.metrics import MEASURES
from losses.objectives import OBJECTIVES, learns_from_gaze
from models import MODELS, RELEASED_FEATURES
from models.level import Level
from models.multi_level import CONS_MODES, ENSEMBLES, INITS
from models.propagation import SIMILARITIES
from training.recipes import RECIPES, option_text
from training.schedule import OPTIMIZERS, SCHEDULERS
from utils.settings import (
    NATURAL,
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_INT,
    checked_value,
    declared_settings,
    number,
    numbers,
    setting,
)


def scheduler(text: str) -> str:
    """Option type of schedules, also by the reference's names."""
    return {"cos": "cosine", "none": "constant"}.get(text, text)


def optimizer(text: str) -> str:
    """Option type of optimizers; argparse.ArgumentTypeError for the reference's default."""
    if text == "a":
        raise argparse.ArgumentTypeError(
            "expected an optimizer, found 'a', the reference's default, which is none: its scripts say --opt sgd"
        )
    return text


@dataclass(kw_only=True)
class Basics:
    """what most runs need"""

    data: str = setting(MISSING, "data set", choices=DATASETS)
    root: str = setting(MISSING, "its folder")
    mode: str = setting("gaze_sup", "supervision", choices=OBJECTIVES, flags=("-m", "--mode", "--method"))
    recipe: str = setting(
        "released", "a set of defaults, listed at the end; an option that is given goes before", choices=RECIPES
    )
    exp_path: str | None = setting(None, "run folder (default: exp/<data>_<mode>_..., printed)")
    resume: bool = setting(
        False, "continue the run in the run folder (or at --ckpt_path); start it where there is none yet"
    )
    seeds: tuple[int, ...] | None = setting(
        None,
        "one run a seed, one after another, each in <exp_path>/seed<N>, and a table over them at the end",
        numbers(NATURAL, each_once=True),
        metavar="N,N,...",
    )
    max_minutes: float | None = setting(
        None,
        "save and stop before so many minutes, of all seeds together, are over (exit code 130); --resume goes on",
        POSITIVE,
    )
    val_fraction: float = setting(
        0.0,
        "share of the training cases kept apart for validation; the best checkpoint is then chosen there and the test "
        "set read once, at the end. With 0 and no val.txt it is chosen on the test set, as released, and labelled so",
        number(float, 0, 0.9),
    )
    device: str | None = setting(None, "CUDA index or cpu (default: the GPU if there is one)", str)


@dataclass(kw_only=True)
class Running:
    """run"""

    overwrite: bool = setting(False, "replace a run that is already in the run folder")
    ckpt_path: str | None = setting(None, "weights to start from, or with --test to evaluate")
    save_pred: bool = setting(False, "write the test predictions as PNG")
    seed: int | None = setting(None, "of weights, order, flips and validation split (default: 0)", NATURAL)
    log_step: int = setting(50, "iterations between log lines", POSITIVE_INT)
    val_step: int = setting(1000, "iterations between validations", POSITIVE_INT)
    save_step: int = setting(1000, "iterations between checkpoints", POSITIVE_INT)
    keep_all: bool = setting(False, "keep each of them, as model_ite<N>.pth")
    wandb: bool = setting(False, "log to Weights & Biases too (package in requirements-wandb.txt)")
    finalize: bool = setting(False, "of the reference; does nothing here")


@dataclass(kw_only=True)
class Model:
    """model"""

    model: str = setting("unet", "network of each level", choices=MODELS)
    in_channels: int | None = setting(None, "image channels (default: the data set's)", POSITIVE_INT)
    features: tuple[int, ...] = setting(
        RELEASED_FEATURES,
        f"channels of the unet: five resolutions and the last stage (default: {option_text(RELEASED_FEATURES)})",
        numbers(int),
        metavar="F,F,F,F,F,F",
    )
    feat_dim: int | None = setting(
        None, "channels of the full-resolution feature (default: the last of --features)", POSITIVE_INT
    )
    init: str = setting("copy", "start all levels alike (released) or not (paper)", choices=INITS)


@dataclass(kw_only=True)
class Levels:
    """levels and consistency"""

    num_levels: int | None = setting(
        None,
        "pseudo-mask levels (default: one a threshold of the data set, 2 as released; 1 for full_sup)",
        POSITIVE_INT,
    )
    level_thresholds: tuple[float, ...] | None = setting(
        None,
        "a threshold for each level, on the CRF map or the labels (default: the data set's; of labels by --pseudo "
        "area, fusion or network 0.5, 0.3 and between)",
        numbers(number(float, 0, 1, open_low=True)),
        metavar="T,T,...",
    )
    cons_mode: str = setting("prop", "consistency with propagated features or without", choices=CONS_MODES)
    prop_similarity: str = setting("dot", "dot as released, cosine as in the paper's text", choices=SIMILARITIES)
    prop_kernel_size: int = setting(5, "side of the window, odd", POSITIVE_INT)
    prop_dilation: int = setting(2, "step in the window, pixels", POSITIVE_INT)
    ensemble: str = setting(
        "logits",
        "what the prediction averages over levels, and so what the best checkpoint is chosen by (default: logits, as "
        "released; with --test as trained)",
        choices=ENSEMBLES,
    )


@dataclass(kw_only=True)
class Rounds:
    """rounds: the network labels the training images together with their gaze"""

    rounds: int = setting(1, "trainings, one after another, all kept", POSITIVE_INT)
    pseudo: str = setting(
        "levels",
        "how labels are made: levels, the CRF map as released, from round 2 on averaged with the network; area, map, "
        "hull of the gaze and network, with the area expected from the gaze; fusion, the same, corrected by --masks; "
        "network, from --masks on, without gaze",
        choices=POLICIES,
    )
    fixations: str | None = setting(None, "the fixation table, for --pseudo area and fusion")
    masks: int = setting(
        0,
        "training images, drawn by the seed, whose masks may be used: to fit the labels on, and as labels",
        NATURAL,
        metavar="N",
    )
    round_ite: int | None = setting(None, "iterations of each round before the last (default: --max_ite)", POSITIVE_INT)
    map_folder: str | None = setting(
        None, "gaze maps to train on, <id>.png of any size (default: those of the data folder, gaze/crf_compat1)"
    )
    round_size: int | None = setting(
        None, "network input of rounds before the last (default: --spatial_size)", number(int, 16)
    )


@dataclass(kw_only=True)
class Recipe:
    """recipe (defaults: as released)"""

    max_ite: int = setting(15000, "iterations", POSITIVE_INT)
    spatial_size: int = setting(RELEASED_SPATIAL_SIZE, "side of the network input, pixels", number(int, 16))
    opt: str = setting("sgd", "sgd: Nesterov momentum 0.99", optimizer, choices=OPTIMIZERS)
    lr: float = setting(1e-2, "highest learning rate", POSITIVE)
    lr_min: float = setting(1e-4, "last learning rate", NOT_NEGATIVE)
    lr_scheduler: str = setting(
        "cosine",
        "an epoch at a time, or an iteration: onecycle; also cos and none, the reference's words",
        scheduler,
        choices=SCHEDULERS,
    )
    warmup_ite: int = setting(
        0, "iterations of linear warm-up; but for onecycle in whole epochs, of which one changes nothing", NATURAL
    )
    weight_decay: float = setting(4e-4, "weight decay", NOT_NEGATIVE)
    data_size_rate: float = setting(
        1.0,
        "share of the training images to use: the first of the split file, as released",
        number(float, 0, 1, open_low=True),
    )
    draw_subset: bool = setting(False, "draw that share by the seed")
    skip_missing_gaze: bool = setting(
        False,
        "go on without training images that lack a gaze map; in rounds, learn what the network says of them instead",
    )
    flip_prob: float = setting(0.5, "probability of each flip", number(float, 0, 1))


@dataclass(kw_only=True)
class Further:
    """recipe, beyond the released one"""

    augment: str = setting("flips", "full: also turns, scales, shifts and colours", choices=AUGMENTATIONS)
    antialias: bool = setting(
        False,
        "resize images by averaging all pixels that become one (default: by four of them, as released)",
        negatable=True,
    )
    ema: float = setting(
        0.0,
        "predict with the running mean of the weights over the second half, of this decay an iteration; 0: off",
        number(float, 0, 1),
        metavar="DECAY",
    )
    select: str = setting("best", "the checkpoint: best on the split at hand, or the last", choices=("best", "last"))


@dataclass(kw_only=True)
class Engine:
    """computation (results agree up to rounding, or exactly)"""

    amp: str | None = setting(
        None, "mixed precision (default: off); auto: bf16 if computed natively", choices=("off", "bf16", "fp16", "auto")
    )
    fp16: bool = setting(False, "as --amp fp16 on a GPU, and --amp bf16 on the CPU")
    channels_last: bool | None = setting(
        None, "memory layout with the channels innermost (default: on a CPU, where it is faster)", negatable=True
    )
    compile: bool = setting(False, "compile each level's network (torch.compile)")
    checkpoint_levels: bool = setting(
        False,
        "compute activations again for the gradients, a level at a time: less memory, more time, the same numbers",
    )
    deterministic: bool = setting(False, "the same bits from the same seed on CUDA too, slower")
    profile: int | None = setting(
        None,
        "trace N steps, from the fourth on, with torch's profiler into <exp_path>/profile",
        POSITIVE_INT,
        metavar="N",
    )


@dataclass(kw_only=True)
class Loading:
    """loading"""

    batch_size: int = setting(
        8, "images a batch, of all processes together", POSITIVE_INT, flags=("-bs", "--batch_size")
    )
    threads: int | None = setting(
        None, "computing threads (default: on a CPU all cores that this process may use)", POSITIVE_INT
    )
    num_worker: int | None = setting(
        None,
        "loader processes, as far as --threads leaves cores (default: up to 4); results do not depend on it",
        NATURAL,
    )


@dataclass(kw_only=True)
class Caching:
    """cache of read and resized training images; results do not depend on it"""

    cache: str = setting("memory", "disk: later runs find it again", choices=CACHES)
    cache_gb: float = setting(
        2.0, "bound on all of it on this machine, in 1e9 bytes; 0: off", number(float, 0, math.inf)
    )
    cache_dir: str | None = setting(None, "folder for --cache disk (default: <root>/.cache)")


# By topic, in the order of the help; the docstrings are its headings.
TOPICS = (Basics, Running, Model, Levels, Rounds, Recipe, Further, Engine, Loading, Caching)


def choices() -> dict[str, tuple[str, Mapping[str, type]]]:
    """Settings that choose a class with settings of its own: by name, the option and all classes by their names."""
    for name, network in MODELS.items():
        if not (isinstance(network, type) and issubclass(network, Level)):
            raise ValueError(f"--model {name}: expected a class that is a models.level.Level, found {network!r}")
    networks = {name: network.Settings for name, network in MODELS.items()}
    return {"mode": ("-m", OBJECTIVES), "model": ("--model", networks)}


@dataclass(kw_only=True)
class Settings(Caching, Loading, Engine, Further, Recipe, Rounds, Levels, Model, Running, Basics):
    """All settings of a training; ``data`` and ``root`` have to be given, the others are as released.

    Made by ``of``, which fills in what the recipe says; the class itself does not.
    """

    command: ClassVar[str] = "train"

    # Settings that objective and network declare and that have no field here, as ``cons_weight`` and ``encoder``.
    declared: Mapping[str, Any] = field(default_factory=dict)
    encoder_input: str | None = None  # the normalisation that it expects; follows from its weights and the data set
    is_last_round: bool = True  # earlier rounds are not evaluated
    work_after: int = 0  # work of the rounds and seeds after this one; see ``training.forecast.remaining_work``

    @classmethod
    def of(cls, **options: Any) -> Settings:
        """Make settings by name, also those of objective and network; the others are the recipe's.

        Raises:
            TypeError: without ``data`` or ``root``.
            ValueError: for unknown names, and as ``checked``.
        """
        own, declared = _split_declared(RECIPES.get(options.get("recipe"), {}) | options)
        unknown = declared.keys() - declared_by_choices()
        if unknown:
            raise ValueError(f"expected settings of a training, found {', '.join(sorted(unknown))}")
        return cls(**own, declared=declared).checked()

    @property
    def folder(self) -> Path:
        """The run folder."""
        return Path(self.exp_path)

    @property
    def makes_labels(self) -> bool:
        """Whether labels are made for this run, in one round or several; else it trains on maps that are there."""
        return self.rounds > 1 or self.pseudo != "levels" or self.masks > 0

    def replace(self, **options: Any) -> Settings:
        """A copy with other values, named as in ``of``; they are not checked."""
        own, declared = _split_declared(options)
        return dataclasses.replace(self, **own, declared={**self.declared, **declared})

    def subset(self, names: Iterable[str]) -> dict[str, Any]:
        """Some of a training's own settings, by name."""
        return {name: getattr(self, name) for name in names}

    def flat(self) -> dict[str, Any]:
        """All settings by name, also those of objective and network; as kept in run folder and checkpoint."""
        own = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "declared"}
        return {**own, **self.declared}

    def checked(self) -> Settings:
        """Validated copy, with settings that follow from others; ValueError for wrong or contradictory values."""
        own = declared_settings(Settings)
        done = self.replace(**{name: checked_value(one, getattr(self, name)) for name, one in own.items()})
        done.declared = _checked_declared(done, self.declared)
        gaze = learns_from_gaze(done.mode)
        for name, plain in (("rounds", 1), ("pseudo", "levels")):
            # With every mask, the labels of a recipe are not needed.
            if not gaze and getattr(done, name) == RECIPES[done.recipe].get(name):
                setattr(done, name, plain)
        if done.num_levels is None and done.level_thresholds:
            done.num_levels = len(done.level_thresholds)
        _check_together(done, gaze)
        if not done.seeds:
            done.seed = done.seed or 0
        return done


def declared_by_choices(*names: str) -> dict[str, dataclasses.Field]:
    """The settings, other than a training's own, that objectives (``mode``) and networks (``model``), or one of these,
    declare, by name."""
    own, declaring = declared_settings(Settings), choices()
    classes = [one for name in names or declaring for one in declaring[name][1].values()]
    return {name: one for name, one in declared_settings(*classes).items() if name not in own}


def declared_by(settings: Settings, *names: str) -> dict[str, dataclasses.Field]:
    """The settings that the objective and the network chosen, or one of them, declare, by name."""
    declaring = choices()
    return declared_settings(*(declaring[name][1][getattr(settings, name)] for name in names or declaring))


def _checked_declared(chosen: Settings, given: Mapping[str, Any]) -> dict[str, Any]:
    """Validated settings of objective and network, given or default; ValueError for one out of range, and for one of
    another objective or network, which would have no effect, unless it is the recipe's."""
    mine, values = declared_by(chosen), {}
    for name, one in declared_by_choices().items():
        if name in mine:
            values[name] = checked_value(mine[name], given.get(name, mine[name].default))
        elif name in given and checked_value(one, given[name]) not in (one.default, RECIPES[chosen.recipe].get(name)):
            found = f"-m {chosen.mode} --model {chosen.model}, which have no such setting"
            raise ValueError(f"--{name}: expected {' or '.join(_choices_with(name))}, found {found}")
    return values


def _choices_with(name: str) -> list[str]:
    """The objectives and networks that declare a setting, as options."""
    known = [(f"{option} {key}", one) for option, every in choices().values() for key, one in every.items()]
    return [text for text, one in known if name in declared_settings(one)]


def _split_declared(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A training's own settings, and those of objective and network."""
    names = {one.name for one in dataclasses.fields(Settings)}
    own = {name: value for name, value in options.items() if name in names}
    return own, {name: value for name, value in options.items() if name not in names}


def _check_together(chosen: Settings, gaze: bool) -> None:
    mode, thresholds = f"-m {chosen.mode}", chosen.level_thresholds or ()
    pseudo, fewest = f"--pseudo {chosen.pseudo}", NEED_MASKS.get(chosen.pseudo, 0)
    makes_labels, labels = chosen.makes_labels, "--rounds, --pseudo and --masks"
    features, released = len(chosen.features), len(RELEASED_FEATURES)
    selected_by = OBJECTIVES[chosen.mode].selected_by
    wrong_levels = thresholds and len(thresholds) != chosen.num_levels
    # Each: whether it is wrong, the option, what is expected, what is found.
    for wrong, option, expected, found in (
        (thresholds and not gaze, "--level_thresholds", "-m gaze_sup", f"{mode}, which has no pseudo-masks"),
        (wrong_levels, "--level_thresholds", f"{chosen.num_levels} (--num_levels)", len(thresholds)),
        (chosen.skip_missing_gaze and not gaze, "--skip_missing_gaze", "-m gaze_sup", f"{mode}, which needs no gaze"),
        # Checkpoints with another number are not read, whatever the network.
        (features != released, "--features", f"{released} numbers", features),
        (chosen.lr_min > chosen.lr, f"--lr_min {chosen.lr_min}", "at most --lr", f"--lr {chosen.lr}"),
        (chosen.prop_kernel_size % 2 == 0, "--prop_kernel_size", "an odd number", chosen.prop_kernel_size),
        (chosen.cache_dir and chosen.cache != "disk", "--cache_dir", "--cache disk", f"--cache {chosen.cache}"),
        (chosen.amp and chosen.fp16, "--fp16", "without --amp", f"--amp {chosen.amp}"),
        (chosen.resume and chosen.overwrite, "--resume", "without --overwrite", "both"),
        (makes_labels and not gaze, "--rounds, --pseudo, --masks", "-m gaze_sup", f"{mode}, which has every mask"),
        (chosen.pseudo in NEED_GAZE and not chosen.fixations, pseudo, "--fixations, the fixation table", "none"),
        (chosen.masks < fewest, pseudo, f"--masks {fewest} or more", chosen.masks or "none"),
        (chosen.map_folder and makes_labels, "--map_folder", f"without {labels}, which make maps of their own", "both"),
        (selected_by not in MEASURES, mode, f"selected_by of {', '.join(MEASURES)}", selected_by),
        (chosen.seeds and chosen.seed is not None, "--seeds", "without --seed", "both"),
    ):
        if wrong:
            raise ValueError(f"{option}: expected {expected}, found {found}")
    MODELS[chosen.model].check_settings(chosen.declared, starts_from_checkpoint=bool(chosen.ckpt_path))
