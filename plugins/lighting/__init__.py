"""Street lighting: programmes by commune, presence dimming, faults, energy. The example to read first.

Read in this order: ``settings`` (what a city decides), ``declaration`` (what the trade says of itself),
``park`` (what is derived from the city), ``state`` (what evolves), ``hooks`` (who is called when); then
the logic: ``calendar``, ``classes``, ``graph``, ``presence``, ``faults``, ``energy``, ``summary``.
"""
