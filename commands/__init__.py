"""Commands of ``run.py``, one module each.

Each has ``add_options(parser)``; ``main(args)``, which returns the exit code, 0 unless its docstring names others; and
``outputs(args)``, the files it writes, which are checked before ``main`` begins. ``train`` has its own ``parse``.
"""
