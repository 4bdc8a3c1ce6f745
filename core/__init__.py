"""The kernel: it knows no plugin and no adapter. docs/architecture.md says in which order to read it."""
