"""The history: what the city showed, kept in minutes, and asked beside the kernel."""
