"""Losses: segmentation per level, consistency across levels, and the objectives that add them up."""

from losses.objectives import OBJECTIVES

__all__ = ["OBJECTIVES"]
