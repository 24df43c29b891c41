"""How much of a target's allowance of requests is taken, beside its breaker."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Nothing is known of what was taken before."""
    op.add_column("breakers", sa.Column("allowance_full_at", sa.DateTime(timezone=True)))
