"""The city's trades, one folder each; ``hooks.py`` is the only file of a trade that says ``hookimpl``."""
