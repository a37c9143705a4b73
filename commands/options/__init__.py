"""The options of each command, by topic; ``parse_args.py`` puts them together."""
