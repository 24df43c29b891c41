"""Starts and drives real third-party systems; imports nothing of ours."""
