"""The formats of ``run.py export``, the check of what was written, and what its model card says."""
