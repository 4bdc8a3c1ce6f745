"""Tours of teams: which team goes where, in which order, and why. Runs in a worker: a solver may take its time."""
