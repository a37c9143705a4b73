"""The parts of ``run.py train``."""
