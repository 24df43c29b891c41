"""Dagster: assets, checks, sensors, schedules and the command line. No business rule lives here."""
