"""Losses: segmentation per level, consistency across levels, and the objectives that add them up."""

from losses.objectives import OBJECTIVES, build_objective

__all__ = ["OBJECTIVES", "build_objective"]
