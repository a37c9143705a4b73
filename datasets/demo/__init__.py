"""Synthetic images with a simulated viewer's gaze."""
