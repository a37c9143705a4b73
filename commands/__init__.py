"""One module a command: they put the parts together.

Each has ``add_options(parser)``, ``main(args)``, whose exit code is 0 where its docstring tells no other, and
``outputs(args)``, what it writes, which is looked at before ``main`` begins. ``train`` has its own ``parse``.
"""
