"""Trained networks at work: on images, for scores, as exported files."""
