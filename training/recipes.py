"""Recipes: named sets of defaults of ``train``, which given options override."""

RECIPES: dict[str, dict] = {
    # The defaults of the options as they are.
    "released": {},
    # For a CPU and images as small as the demo's: Adam, as a momentum of 0.99 is made for many more iterations.
    "small": {
        "features": (16, 32, 64, 128, 256, 32),
        "spatial_size": 64,
        "max_ite": 400,
        "val_step": 400,
        "opt": "adam",
        "lr": 1e-3,
        "lr_min": 1e-5,
    },
    # For a laptop and the best result: a small pretrained encoder, strong augmentation, and labels that get better
    # round by round. In float32, which is as fast on a CPU that has bfloat16, and the same on all of them.
    "strong": {
        "model": "smp-unet",
        "encoder": "tu-tf_efficientnet_lite0",
        "encoder_weights": "package:efficientnet-lite0",
        "decoder_channels": (128, 64, 32, 24),
        "frozen_stages": 2,
        "feat_dim": 16,
        "num_levels": 1,
        "spatial_size": 256,
        "antialias": True,
        "rounds": 4,
        "pseudo": "area",
        "round_ite": 450,
        "max_ite": 1250,
        "opt": "adamw",
        "lr": 1e-3,
        "lr_min": 1e-6,
        "lr_scheduler": "onecycle",
        "weight_decay": 1e-2,
        "seg_loss": "dice_ce",
        "augment": "full",
        "ema": 0.99,
        "select": "last",
        "save_step": 100,
    },
}


def described() -> str:
    """The recipes in a few lines, for ``--help``."""
    lines = []
    for name, defaults in RECIPES.items():
        options = " ".join(f"--{key} {option_text(value)}".rstrip() for key, value in defaults.items())
        lines.append(f"{name}: {options or 'as released (default)'}")
    return "; ".join(lines)


def option_text(value: object) -> str:
    """The value of an option as it is typed; nothing for a switch."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is True else str(value)
