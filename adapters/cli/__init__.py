"""The composition root and the ``ondijon`` command; the only adapter that may import the others."""
