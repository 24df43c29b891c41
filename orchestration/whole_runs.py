"""What demo, real systems and evaluation share: passes until one sends nothing; what they leave."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Thread
from typing import Any

from orchestration.installation import Installation
from orchestration.passes import PassReport
from registry.errors import TallymanError
from registry.settings import Settings
from reporting.publish import published_connection


class RestlessError(TallymanError):
    """The loop did not come to rest."""

    exit_code = 6


def proof_delay(installation: Installation) -> float:
    """Seconds until the watermark of a new load lies after what was just accepted, also on a clock
    that tells whole seconds only."""
    return max(system.settle_seconds for system in installation.registry.systems) + 2


def warm_up() -> Thread:
    """Import Great Expectations beside the first extraction: it costs seconds of one core."""
    from expectations import gate

    thread = Thread(target=gate.warm_up, name="warm-up", daemon=True)
    thread.start()
    return thread


def opened(settings: Settings) -> set[tuple[str, str]]:
    """(rule id, object id) of the published exceptions that are or were open."""
    with published_connection(settings) as connection:
        return set(
            connection.execute(
                "select distinct rule_id, object_id from marts.exceptions "
                "where status in ('open', 'closed')"
            ).fetchall()
        )


def pass_rows(passes: Iterable[PassReport]) -> list[dict[str, Any]]:
    """A row a pass, as the JSON of a run has them."""
    return [
        {"seconds": round(one.seconds, 2), "sent": one.sent, "accepted": one.accepted}
        for one in passes
    ]
