"""Building of data sets, network, optimizer and objective from the settings of a training."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from datasets import SegmentationDataset, build_dataset, get_spec
from datasets.files import similar_files
from datasets.gaze.levels import default_thresholds
from datasets.specs import DatasetSpec
from datasets.splits import split_names
from losses.objectives import OBJECTIVES, Objective, learns_from_gaze
from models import build_model
from models.checkpoint_schema import check_content
from models.level import freeze
from models.multi_level import MultiLevelModel
from trainer import TrainState
from training.run import Data, Run
from training.run_folder import first_options
from training.schedule import OPTIMIZERS
from training.seeding import seed_everything
from training.settings import Levels, Model, Settings, declared_by
from utils.devices import autocast_and_scaler, fastest_layout, make_deterministic, resolve_amp
from utils.distributed import SINGLE, Group
from utils.inputs import plain_id
from utils.log import NoLog
from utils.settings import declared_settings

# The arguments of ``build_model``, besides those that the network declares.
NOT_OF_MODEL = ("model", "level_thresholds")
MODEL_KEYS = ("encoder_input", *(key for key in declared_settings(Model, Levels) if key not in NOT_OF_MODEL))
# Arguments of ``build_dataset`` for every split.
DATA_KEYS = ("root", "spatial_size", "val_fraction", "seed", "antialias")
# End thresholds of levels on maps that a run makes, whose target is above 0.5.
MADE_THRESHOLDS = (0.5, 0.3)


def build_data(settings: Settings, group: Group = SINGLE) -> Data:
    """The data sets of a training; see ``evaluation_sets``."""
    gaze, spec = learns_from_gaze(settings.mode), get_spec(settings.data, settings.root)
    train_set = build_dataset(
        settings.data,
        split="train",
        level_thresholds=level_thresholds(settings, spec) if gaze else None,
        has_labels=not gaze,
        **settings.subset((*DATA_KEYS, "data_size_rate", "draw_subset", "skip_missing_gaze", "map_folder")),
    )
    if settings.resume and settings.skip_missing_gaze:
        # Also images whose maps have been made since.
        train_set.leave_out({*first_options(settings.folder).get("without_map", ())})
    train_set.flip_probability, train_set.augmentation = settings.flip_prob, settings.augment
    # The bound holds for all processes on this machine, which share a cache file, but not memory.
    sharing = group.on_this_machine if settings.cache == "memory" else 1
    train_set.use_cache(settings.cache, max_gb=settings.cache_gb / sharing, folder=settings.cache_dir)
    # Built in every round, so that errors show before the first; only the last round scores the test set.
    validation, test = evaluation_sets(settings)
    test = test if settings.is_last_round else None
    selection = None if settings.select == "last" else validation or test
    return Data(train_set, selection, "validation" if validation else "test" if selection else None, test)


def evaluation_sets(settings: Settings) -> tuple[SegmentationDataset | None, SegmentationDataset | None]:
    """The validation split, by ``--val_fraction`` or val.txt, and the test split; each None where there is none, or
    none of its images has a mask.

    The images are checked in any case: ids with endings have no masks either.
    """
    test = _if_masks(settings, "test")
    if settings.select == "last":
        return None, test
    # With --val_fraction the checkpoint must not silently be chosen on the test images.
    return _if_masks(settings, "val", required=bool(test and settings.val_fraction)), test


def _if_masks(settings: Settings, split: str, *, required: bool = False) -> SegmentationDataset | None:
    """A split's data set with labels; None where there is no such split or, unless ``required``, it has no masks."""
    root, spec = Path(settings.root), get_spec(settings.data, settings.root)
    if not (root / f"{split}.txt").is_file() and not (split == "val" and settings.val_fraction):
        return None
    names = split_names(spec, root, split, val_fraction=settings.val_fraction, seed=settings.seed)
    there = similar_files(root / "masks")
    has_masks = required or any(plain_id(name).casefold() in there for name in names)
    dataset = build_dataset(settings.data, split=split, has_labels=has_masks, **settings.subset(DATA_KEYS))
    return dataset if has_masks else None


def level_thresholds(settings: Settings, spec: DatasetSpec) -> Sequence[float]:
    """Level thresholds: as given, else of the maps that the run makes, else the data set's; ValueError if too few."""
    ends = spec.end_thresholds if settings.pseudo == "levels" else MADE_THRESHOLDS
    return settings.level_thresholds or default_thresholds(ends, settings.num_levels)


def build_run(settings: Settings, data: Data, device: torch.device, group: Group) -> Run:
    """Build a run at iteration 0, without a log: nothing is written yet."""
    seed_everything(settings.seed)
    if settings.deterministic:
        make_deterministic(device)
    model = build_network(settings, device, _smallest_batch(settings, len(data.train), group), group)
    optimizer, average = build_optimizer(settings, model), None
    if settings.ema:
        # The exponential moving average of weights and statistics, a copy of the model at first.
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.ema), use_buffers=True)
    _, scaler = autocast_and_scaler(resolve_amp(settings.amp, settings.fp16, device), device)
    state = TrainState(iterations_per_epoch=-(-len(data.train) // settings.batch_size))
    return Run(settings, data, model, optimizer, scaler, state, device, NoLog(), group, average)


def _smallest_batch(settings: Settings, num_samples: int, group: Group) -> int:
    """The smallest batch size that a process meets."""
    reaches_last = settings.max_ite >= -(-num_samples // settings.batch_size)
    last = num_samples % settings.batch_size if reaches_last else 0
    return max(1, (last or settings.batch_size) // group.size)


def memory_layout(settings: Settings, device: torch.device) -> torch.memory_format:
    """The memory format of images and weights: as ``--channels_last`` says, else the fastest."""
    layouts = {True: torch.channels_last, False: torch.contiguous_format, None: fastest_layout(device)}
    return layouts[settings.channels_last]


def network_settings(settings: Settings) -> dict:
    """The arguments of ``build_model``, as a checkpoint keeps them too."""
    values = settings.flat()
    return {"name": settings.model, **{key: values[key] for key in (*MODEL_KEYS, *declared_by(settings, "model"))}}


def build_network(
    settings: Settings, device: torch.device, smallest_batch: int = 1, group: Group = SINGLE
) -> MultiLevelModel:
    """Build the model on its device, with initial weights.

    Raises:
        ValueError: if it cannot be built, or not be trained on batches of ``smallest_batch`` images.
    """
    network = network_settings(settings)
    # What could not be read again is not trained.
    check_content({"config": {"model": network}}, size=0)
    model = build_model(**network)
    model.checkpoint_levels = settings.checkpoint_levels
    freeze(model.model, torch.zeros(min(smallest_batch, 2), settings.in_channels, *2 * [settings.spatial_size]))
    model = model.to(device, memory_format=memory_layout(settings, device))
    if group.size > 1 and device.type == "cuda":
        # By timm: some of its layers combine normalisation and activation, which torch's own conversion would drop.
        from timm.layers import convert_sync_batchnorm

        model = convert_sync_batchnorm(model)
    if settings.compile:
        # Without a compiler the network runs uncompiled, and torch warns.
        torch._dynamo.config.suppress_errors = True
        for level in model.model:
            level.compile()
    return model


def build_optimizer(settings: Settings, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer over all trainable parameters; frozen ones (the released head) are left out."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return OPTIMIZERS[settings.opt](parameters, lr=settings.lr, weight_decay=settings.weight_decay)


def objective_of(settings: Settings) -> Objective:
    """The objective (loss) that a step minimises."""
    objective, values = OBJECTIVES[settings.mode], settings.flat()
    return objective(**{name: values[name] for name in declared_settings(objective)})
