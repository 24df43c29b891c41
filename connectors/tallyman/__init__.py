"""Ourselves as a source: our corrections and people's decisions, loaded back like any feed."""
