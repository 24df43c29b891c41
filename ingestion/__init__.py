"""Typed landing: contracts, quarantine, the log of extractions. Knows nothing of Dagster."""
