"""Helpers that know nothing of models, losses or data sets."""
