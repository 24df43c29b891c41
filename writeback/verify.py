"""Belief: an accepted correction is verified only by what a later extraction showed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from registry.crash_points import crash_point
from writeback.clock import Clock
from writeback.states import Event, sources
from writeback.store import OperationsStore, UnknownCorrectionError

# One extraction may have overlapped the write; two complete later ones leave no such excuse.
EXTRACTIONS_BEFORE_UNPROVEN = 2


@dataclass
class ProofResult:
    """Counts of one call. ``inconsistent``: verdicts that their own evidence contradicts; they
    change nothing and point at an error in the models. ``unknown``: no such correction here.
    ``waiting``: no verdict yet, or somebody is taking the correction back just now."""

    verified: int = 0
    unproven: int = 0
    moot: int = 0
    waiting: int = 0
    inconsistent: int = 0
    unknown: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


_EVENTS = {
    "verified": Event.PROVE,
    "unproven": Event.DISPROVE,
    "moot": Event.FIND_MOOT,
}


def apply_proofs(
    store: OperationsStore, proofs: Iterable[Mapping[str, Any]], clock: Clock
) -> ProofResult:
    """Apply the verdicts of one build (rows of ``reconciliation.correction_proofs``), in one
    transaction. Applying them again changes nothing.

    ``verified`` counts only with the effect observed, no exception open, and an extraction that
    started after the target accepted; ``unproven`` only after two complete ones. The transition
    table lets a correction that was unproven become verified, when the proof comes late.
    """
    now = clock.now()
    result = ProofResult()
    with store.write() as connection:
        for proof in proofs:
            verdict = str(proof.get("verdict"))
            event = _EVENTS.get(verdict)
            if event is None:
                result.waiting += 1
                continue
            try:
                correction = store.one(connection, str(proof["correction_key"]))
            except UnknownCorrectionError:
                # The warehouse outlived the operations store, or belongs to another one.
                result.unknown += 1
                continue
            if correction.state not in sources(event):
                continue
            if not _is_consistent(verdict, proof):
                result.inconsistent += 1
                continue
            if correction.lease_until is not None and correction.lease_until > now:
                # A move would end the claim of an undo that is under way: the next pass proves it.
                result.waiting += 1
                continue
            values: dict[str, Any] = {"verified_at": now} if event is Event.PROVE else {}
            store.transition(
                connection,
                correction.correction_key,
                event,
                now,
                state_reason=_reason(verdict, proof),
                **values,
            )
            setattr(result, verdict, getattr(result, verdict) + 1)
            crash_point("writeback.during_verify")
    crash_point("writeback.after_verify")
    return result


def _is_consistent(verdict: str, proof: Mapping[str, Any]) -> bool:
    extractions = int(proof.get("extractions_since") or 0)
    match verdict:
        case "verified":
            shown = bool(proof.get("effect_observed"))
            return shown and int(proof.get("exceptions_open") or 0) == 0 and extractions >= 1
        case "unproven":
            return extractions >= EXTRACTIONS_BEFORE_UNPROVEN
    return True


def _reason(verdict: str, proof: Mapping[str, Any]) -> str:
    extractions = int(proof.get("extractions_since") or 0)
    match verdict:
        case "verified":
            return f"seen in record {proof.get('effect_raw_key')}; every exception is closed"
        case "unproven":
            return f"{extractions} complete extractions later the drift is still there"
    return "the drift was not real, or had healed before: decide whether to undo it"
