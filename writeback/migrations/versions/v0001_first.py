"""The store as it was before versions were kept: corrections, attempts, decisions, brakes.

There is nothing to do. A store with tables and without a version is of this one.
"""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing."""
