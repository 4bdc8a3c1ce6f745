"""Crowds: sensors say how many people pass, an operator is told where many gather."""
