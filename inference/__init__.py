"""Inference: prediction, evaluation, export and figures with trained networks."""
