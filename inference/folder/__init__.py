"""The parts of ``run.py predict``: which images, how they are loaded, what is written of each, and where."""
