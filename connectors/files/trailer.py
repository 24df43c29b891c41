"""Control totals: a file that ends in a trailer is read whole, or not at all."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation

from connectors.base import SourceError
from connectors.files.client import Batch, Drop
from connectors.files.mapping import Trailer

ERROR_KIND = "control_total"


def proven(drop: Drop, trailer: Trailer, batches: list[Batch]) -> list[Batch]:
    """The batches of a whole file without its trailer.

    Raises SourceError when the trailer is missing or the file does not hold what it says. All of it
    is in memory until that is known: nothing of a file that lies may be told.
    """
    last = next((batch for batch in reversed(batches) if batch.rows), None)
    if last is None or last.columns[trailer.column][-1] != trailer.value:
        raise SourceError(
            ERROR_KIND,
            f"{drop.name} does not end in its trailer ('{trailer.value}' in {trailer.column}): cut "
            "short? have it sent again",
        )
    told = {name: values[-1] for name, values in last.columns.items()}
    shorn = {name: values[:-1] for name, values in last.columns.items()}
    held = [
        replace(batch, columns=shorn, rows=batch.rows - 1) if batch is last else batch
        for batch in batches
    ]
    count = sum(batch.rows + len(batch.broken) for batch in held)
    _compare(drop, "rows", told[trailer.rows], Decimal(count))
    for name, said in trailer.totals.items():
        amounts = (_number(drop, text) for batch in held for text in batch.columns[name])
        total = sum((amount for amount in amounts if amount is not None), Decimal(0))
        _compare(drop, f"in {name}", told[said], total)
    return held


def _compare(drop: Drop, what: str, said: str | None, held: Decimal) -> None:
    if _number(drop, said) != held:
        raise SourceError(
            ERROR_KIND,
            f"{drop.name} holds {held} {what}, and its trailer says {said or 'nothing'}: have it "
            "sent again",
        )


def _number(drop: Drop, text: str | None) -> Decimal | None:
    """A figure of the file; None for what is none, which the contract judges."""
    plain = (text or "").strip()
    if drop.mapping.decimal_mark == ",":
        plain = plain.replace(".", "").replace(",", ".")
    else:
        plain = plain.replace(",", "")
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None
