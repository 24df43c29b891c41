"""Tryton as a separate process: its own virtual environment, two databases, and how to drive it."""
