"""Inventories of a real city, or a seed, become a city folder.

Read along the way of the data: ``inventory`` (files to rows) → ``network`` (centre lines to a graph) →
``boundary`` (communes) → ``placement`` (things to streets) → ``synthesis`` (what no inventory says) →
``register`` (one city) ; ``generator`` takes the place of the files, ``command`` is the door and
``report`` says what became of every row.
"""
