"""Side by side with what else one would write: one file a stage. docs/bench/README.md explains the figures."""
