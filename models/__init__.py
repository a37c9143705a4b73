"""Networks: one U-Net a level, and the propagation of features between neighbouring pixels."""

from models.ensemble import Ensemble
from models.registry import MODELS, build_from_weights, build_model
from models.unet import RELEASED_FEATURES

__all__ = ["MODELS", "RELEASED_FEATURES", "Ensemble", "build_from_weights", "build_model"]
