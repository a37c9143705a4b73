"""Training: settings, data, checkpoints, hooks, rounds of labels, seeds."""
