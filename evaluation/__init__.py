"""Evaluation: metrics, confidence intervals, paired comparison, summaries, as numbers and tables."""
