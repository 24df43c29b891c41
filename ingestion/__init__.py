"""Typed landing: contracts enforced, quarantine, the log of extractions. Knows nothing of Dagster."""
