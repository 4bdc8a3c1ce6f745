"""``ondijon plugin``: for authors of trades.

``new`` begins one, ``check`` judges it, ``dev`` runs it in the living city. ``starter`` holds what ``new`` begins with;
``trial`` drives a plugin in a process of its own with the inputs of ``stimulus``; ``source``, ``texts`` and ``memory``
look at what it is made of; ``grade`` says what follows from all that. ``fits`` asks whether a post that runs could go
on with a changed one.
"""
