"""The city's doors, one folder a protocol or face; each runs as a process of its own."""
