"""One module a command, each with ``main(args) -> exit code``: they put the parts together."""
