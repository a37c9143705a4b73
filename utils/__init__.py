"""General helpers, independent of models, losses and data sets."""
