"""The login process: who people are, and what they may."""
