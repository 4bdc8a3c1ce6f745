"""Labelled sets that judge how well a post gathers signs into incidents and reports into problems."""
