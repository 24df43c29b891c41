"""From proposals to the outbox: idempotent by proposal key, and braked when there are too many."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from registry.crash_points import crash_point
from registry.errors import TallymanError
from registry.systems import Policy
from writeback import tables as t
from writeback.canonical import canonical_value, digest, parse_json
from writeback.clock import Clock
from writeback.kinds import check_payload
from writeback.model import Correction, content_hash
from writeback.periods import period_reason
from writeback.states import UNSENT, Event, State, next_state, sources
from writeback.store import OperationsStore

# An object may be corrected this often in the window; then two systems fight and a person decides.
PING_PONG_LIMIT = 2
PING_PONG_WINDOW = timedelta(hours=24)
# From so many new corrections in one build on, more than so many times the median of the builds
# before is abnormal: more likely a bad load than so much drift. A few builds tell no median.
ABNORMAL_FROM = 100
ABNORMAL_FACTOR = 3
ENOUGH_BUILDS = 5
ENGINE = "tallyman"  # the actor of decisions that the engine takes itself

# Why a correction waits for a person. The first three come and go with the proposal and the
# calendar; the others stay until someone approves.
HOLD_APPROVAL = "approval"
HOLD_CONFLICT = "conflict"
HOLD_PERIOD = "period"
HOLD_BRAKE = "brake"
HOLD_PING_PONG = "ping_pong"
HOLD_AFTER_REVERSAL = "after_reversal"
HOLD_AFTER_REJECTION = "after_rejection"
HOLD_PERSON = "person"
_LASTING = frozenset(
    {HOLD_BRAKE, HOLD_PING_PONG, HOLD_AFTER_REVERSAL, HOLD_AFTER_REJECTION, HOLD_PERSON}
)


class InvalidProposalError(TallymanError):
    """A proposal lacks what makes it a correction."""


@dataclass
class EnqueueResult:
    """What became of the proposals of one build.

    ``new`` rows were added, of which ``held`` wait for a person (``braked``: all of them, because
    there were too many). ``unchanged`` were known. ``changed`` were known and unsent, and took the
    proposal's newer content. ``superseded`` were unsent and are proposed no more. ``stale`` were
    proposed from data older than what became of their last sending. ``invalid``: (key, problem)
    of proposals that can't be sent at all; they are errors of the models.
    """

    new: int = 0
    held: int = 0
    unchanged: int = 0
    changed: int = 0
    superseded: int = 0
    stale: int = 0
    braked: bool = False
    invalid: list[tuple[str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def proposal_key(
    target_system: str, object_id: str, kind: str, new_value: Any, old_value: Any
) -> str:
    """Identity of a proposal: whom, what, to which value, from which value; never the rule."""
    return digest([target_system, object_id, kind, new_value, old_value])


def idempotency_key(key: str, generation: int) -> str:
    """The key that the target sees. A lost outbox makes the same keys again, so that even then
    nothing is applied twice."""
    return f"tly-{digest([key, generation])[:40]}"


def enqueue(
    store: OperationsStore,
    proposals: Iterable[Mapping[str, Any]],
    policy: Policy,
    clock: Clock,
    *,
    complete: bool = True,
    targets: Collection[str] | None = None,
    build: str | None = None,
) -> EnqueueResult:
    """Bring the outbox up to date with the proposals of one build, in one transaction.

    ``proposals`` have the columns of ``reconciliation.correction_proposals``; JSON columns may be
    text. ``complete=False`` says that they are not all of the build, so that nothing is withdrawn.
    What an invalid proposal stands for is not withdrawn either: its drift is still there.
    ``targets``: the systems of the installation (None: all that there are). What aims at another
    one is left as it is: it is proposed no more because nobody asked, not because it is gone.
    ``build``: whose proposals they are; what its checks let pass may be sent from here on.
    Running it again with the same proposals changes nothing.
    """
    now = clock.now()
    result = EnqueueResult()
    wanted: dict[str, _Proposal] = {}
    invalid: set[str] = set()
    for row in proposals:
        try:
            proposal = _Proposal.read(row)
        except TallymanError as error:
            name = str(row.get("proposal_key") or row.get("object_id"))
            result.invalid.append((name, str(error)))
            try:
                invalid.add(_key_of(row))
            except TallymanError:
                # It may stand for any of them.
                complete = False
            continue
        wanted[proposal.key] = proposal
    with store.write() as connection:
        latest = store.latest_generations(connection, list(wanted))
        fresh: list[_Proposal] = []
        for proposal in wanted.values():
            previous = latest.get(proposal.key)
            if previous is not None and previous.state in UNSENT:
                # The proposal's newer content replaces what is stored.
                _refresh(store, connection, previous, proposal, policy, now, result)
            elif previous is None or _may_follow(previous, proposal):
                fresh.append(proposal)
            elif previous.state in _REPEATABLE or previous.withdrawn_at is not None:
                result.stale += 1
            else:
                result.unchanged += 1
        known = {*wanted, *invalid}
        pasts = _pasts(store, connection, fresh, latest, known, now)
        rows = [_new_row(one, past, policy, now) for one, past in zip(fresh, pasts, strict=True)]
        brake = _brake(store, connection, len(rows), policy)
        if brake is not None:
            result.braked = True
            for row in rows:
                row["hold_codes"] = sorted({*row["hold_codes"], HOLD_BRAKE})
                row["state_reason"] = "; ".join(filter(None, [brake, row["state_reason"]]))
        for row in rows:
            event = Event.HOLD if row["hold_codes"] else Event.RELEASE
            row["state"] = next_state(State.PROPOSED, event).value
        store.insert(connection, rows)
        result.new = len(rows)
        result.held = sum(1 for row in rows if row["hold_codes"])
        if complete:
            goes_on = {
                one.correction_key: row["correction_key"]
                for past, row in zip(pasts, rows, strict=True)
                for one in past.same_drift
            }
            result.superseded = _withdraw(store, connection, known, goes_on, targets, now)
        if build is not None:
            store.open_pending(connection, build)
        crash_point("writeback.during_enqueue")
    crash_point("writeback.after_enqueue")
    return result


def _brake(store: OperationsStore, connection: Any, new: int, policy: Policy) -> str | None:
    """Why so many new corrections in one build are too many, or None."""
    if new > policy.max_corrections_per_run:
        return f"{new} new corrections in one build, the limit is {policy.max_corrections_per_run}"
    if new <= ABNORMAL_FROM:
        return None
    before = store.new_by_build(connection)
    if len(before) < ENOUGH_BUILDS or new <= ABNORMAL_FACTOR * median(before):
        return None
    return f"{new} new corrections in one build, where {median(before):g} are usual"


# Settled: the same proposal from newer data is a new drift, and gets a new generation.
_REPEATABLE = frozenset({State.VERIFIED, State.SUPERSEDED, State.MOOT, State.REVERTED})
# Proposed by the build before, unless that is known to be over.
_STANDING = (sources(Event.WITHDRAW) - {State.PROPOSED}) | {State.REJECTED}
# Refused only because the record had changed meanwhile: newer data decide anew.
_RE_EVALUATED = "version_conflict"


_IDENTIFYING = ("object_id", "target_system", "kind")


def _check_present(row: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not row.get(name):
            raise InvalidProposalError(f"a proposal has no {name}: {dict(row)!r}")


def _check_storable(columns: Mapping[str, Any]) -> None:
    """PostgreSQL holds to lengths and takes no NUL: one such row would end the proposals of all."""
    for name, value in columns.items():
        if not isinstance(value, str):
            continue
        length = getattr(t.corrections.c[name].type, "length", None)
        if length is not None and len(value) > length:
            raise InvalidProposalError(f"{name} has more than {length} characters: {value!r}")
        if "\0" in value:
            raise InvalidProposalError(f"{name} holds a NUL character: {value!r}")


def _key_of(row: Mapping[str, Any]) -> str:
    """The key that the models gave a proposal, or that it would have got. Raises TallymanError."""
    given = row.get("proposal_key")
    if given:
        return str(given)
    _check_present(row, *_IDENTIFYING)
    new_value, old_value = _json(row.get("new_value")), _json(row.get("old_value"))
    return proposal_key(row["target_system"], row["object_id"], row["kind"], new_value, old_value)


@dataclass(frozen=True)
class _Proposal:
    """A row of correction_proposals, read and checked."""

    key: str
    target_system: str
    object_id: str
    kind: str
    frontier_at: datetime | None
    needs_approval: bool
    approval_reason: str
    conflict: bool
    value_at_risk: Decimal | None
    payload_hash: str
    columns: dict[str, Any]

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> _Proposal:
        _check_present(row, "rule_id", *_IDENTIFYING)
        payload = canonical_value(_json(row.get("payload")))
        check_payload(row["kind"], payload)
        old_value = canonical_value(_json(row.get("old_value")))
        new_value = canonical_value(_json(row.get("new_value")))
        preconditions = canonical_value(_json(row.get("preconditions")) or [])
        target, object_id, kind = row["target_system"], row["object_id"], row["kind"]
        relied_on = {target, *(_json(row.get("relied_on_systems")) or [])}
        for condition in preconditions:
            if not isinstance(condition, Mapping) or not condition.get("system"):
                raise InvalidProposalError(f"a precondition names no system: {condition!r}")
            relied_on.add(condition["system"])
        hashed = content_hash(target, object_id, kind, payload, old_value, new_value, preconditions)
        value = row.get("value_at_risk")
        value_at_risk = None if value is None else Decimal(str(value))
        frontier_at = _moment(row.get("frontier_at"))
        key = _key_of(row)
        columns = {
            "rule_id": row["rule_id"],
            "obligation_ids": _json(row.get("obligation_ids")) or [],
            "object_type": row.get("object_type"),
            "order_id": row.get("order_id"),
            "order_line_id": row.get("order_line_id"),
            "target_role": row.get("target_role"),
            "old_value": old_value,
            "new_value": new_value,
            "payload": payload,
            "preconditions": preconditions,
            "payload_hash": hashed,
            "relied_on_systems": sorted(relied_on),
            "value_at_risk": value_at_risk,
            "currency": row.get("currency"),
            "first_sighting_at": _moment(row.get("first_sighting_at")),
            "frontier_at": frontier_at,
            "conflict": bool(row.get("conflict")),
        }
        identity = {"proposal_key": key, **{name: row[name] for name in _IDENTIFYING}}
        _check_storable({**identity, **columns})
        return cls(
            key=key,
            target_system=target,
            object_id=object_id,
            kind=kind,
            frontier_at=frontier_at,
            needs_approval=bool(row.get("needs_approval")),
            approval_reason=row.get("approval_reason") or "",
            conflict=bool(row.get("conflict")),
            value_at_risk=value_at_risk,
            payload_hash=hashed,
            columns=columns,
        )


def approval_reason(
    policy: Policy, kind: str, value_at_risk: Decimal | None, currency: str | None
) -> str | None:
    """Why the policy wants a person for this one, or None."""
    if kind in policy.approval_kinds:
        return f"every {kind} needs approval"
    if value_at_risk is not None and abs(value_at_risk) > Decimal(str(policy.approval_above)):
        limit = f"{amount(policy.approval_above)} {currency or ''}".strip()
        return f"value at risk {value_at_risk} is above {limit}"
    return None


def amount(value: float | Decimal) -> str:
    """Money as people read it: ``1,000,000``."""
    return f"{Decimal(str(value)).normalize():,f}"


def _holds(proposal: _Proposal, policy: Policy, now: datetime) -> dict[str, str]:
    """Hold code -> reason, as far as the proposal itself decides."""
    holds: dict[str, str] = {}
    reason = approval_reason(
        policy, proposal.kind, proposal.value_at_risk, proposal.columns["currency"]
    )
    if proposal.needs_approval or reason:
        holds[HOLD_APPROVAL] = proposal.approval_reason or reason or "the rule wants approval"
    if proposal.conflict:
        holds[HOLD_CONFLICT] = (
            "proposals for this object contradict each other, or its value takes turns; choose one"
        )
    closed = period_reason(
        policy, proposal.target_system, proposal.kind, proposal.columns["payload"], now
    )
    if closed is not None:
        holds[HOLD_PERIOD] = closed
    return holds


@dataclass(frozen=True)
class _Past:
    """What came before a new correction. ``previous``: under its very key; ``same_drift``: of its
    drift, whatever the values were then, the newest last; ``newest``: of its target, object and
    kind."""

    previous: Correction | None
    same_drift: Sequence[Correction]
    newest: Correction | None
    asked_back: Collection[str]
    accepted_lately: int


def _pasts(
    store: OperationsStore,
    connection: Any,
    fresh: Sequence[_Proposal],
    latest: Mapping[str, Correction],
    known: Collection[str],
    now: datetime,
) -> list[_Past]:
    """The past of each new proposal. ``known``: the keys that this build proposes."""
    objects = [proposal.object_id for proposal in fresh]
    recently = store.accepted_since(connection, objects, now - PING_PONG_WINDOW)
    drifts = store.latest_of_drifts(connection, objects)
    before = [*latest.values(), *(ones[-1] for ones in drifts.values())]
    verified = (one.correction_key for one in before if one.state is State.VERIFIED)
    asked_back = store.asked_back(connection, verified)
    pasts = []
    for proposal in fresh:
        place = (proposal.target_system, proposal.object_id, proposal.kind)
        ones = drifts.get(place, [])
        pasts.append(
            _Past(
                previous=latest.get(proposal.key),
                same_drift=[one for one in ones if _is_same_drift(one, proposal, known)],
                newest=ones[-1] if ones else None,
                asked_back=asked_back,
                accepted_lately=recently.get(place, 0),
            )
        )
    return pasts


def _is_same_drift(one: Correction, proposal: _Proposal, known: Collection[str]) -> bool:
    """Whether a correction of the same target, object and kind was for what is proposed now.

    Its key is no answer: it holds values, and a balance moves while its drift stays as it is. The
    exceptions that both resolve are one; where they are cut anew, what stood until this build and
    is proposed no more has moved on.
    """
    if not set(one.obligation_ids).isdisjoint(proposal.columns["obligation_ids"]):
        return True
    stood = one.state in _STANDING and one.withdrawn_at is None
    return stood and one.proposal_key not in known


def _new_row(proposal: _Proposal, past: _Past, policy: Policy, now: datetime) -> dict[str, Any]:
    generation = 1 if past.previous is None else past.previous.generation + 1
    holds = _holds(proposal, policy, now)
    if past.accepted_lately >= PING_PONG_LIMIT:
        holds[HOLD_PING_PONG] = (
            f"corrected {past.accepted_lately} times within 24 hours and it still drifts: "
            "something undoes it"
        )
    reversal = _reversal(past)
    if reversal is not None:
        holds[HOLD_AFTER_REVERSAL] = reversal
    for code, reason in _handed_on(past.same_drift).items():
        holds.setdefault(code, reason)
    return {
        **proposal.columns,
        **blank_progress(now),
        "correction_key": f"{proposal.key}-{generation}",
        "proposal_key": proposal.key,
        "generation": generation,
        "idempotency_key": idempotency_key(proposal.key, generation),
        "object_id": proposal.object_id,
        "target_system": proposal.target_system,
        "kind": proposal.kind,
        "needs_approval": HOLD_APPROVAL in holds,
        "hold_codes": sorted(holds),
        "state_reason": "; ".join(dict.fromkeys(holds.values())),
    }


def _reversal(past: _Past) -> str | None:
    """Why a person must agree to what somebody took back, or what was done for nothing."""
    for one in filter(None, (past.previous, *past.same_drift)):
        if one.state in (State.MOOT, State.REVERTED):
            return f"{one.correction_key} did the same and was {one.state} before"
    for one in filter(None, (past.previous, past.newest)):
        # Taking it back began another drift, and its values may have moved since.
        if one.state is State.REVERTED:
            return f"{one.correction_key} was {one.state} before"
        if one.correction_key in past.asked_back:
            # Its answer got lost: the drift may be what the person wanted.
            return (
                f"a person wanted {one.correction_key} taken back, and no answer said that it was"
            )
    return None


_SAME_DRIFT = "of the same drift "


def _handed_on(drift: Sequence[Correction]) -> dict[str, str]:
    """Hold code -> reason: what holds a drift holds it also when its values have moved.

    An approval ends a hold, but covers no other values: while it is not sent it is asked for anew.
    """
    holds: dict[str, str] = {}
    for one in drift:
        if one.state is State.REJECTED:
            reason = f"{_SAME_DRIFT}{one.correction_key} was {one.state_reason}"
            holds[HOLD_AFTER_REJECTION] = reason
    newest = next((one for one in reversed(drift) if one.state is not State.REJECTED), None)
    if newest is None or (newest.state not in UNSENT and newest.withdrawn_at is None):
        return holds
    codes = [code for code in newest.hold_codes if code in _LASTING - set(holds)]
    told, waits = newest.state_reason, newest.state is State.AWAITING_APPROVAL
    if waits and _SAME_DRIFT in told:
        # The first one tells why, however often the values have moved since.
        reason = told[told.rindex(_SAME_DRIFT) :]
    else:
        why = told if waits else ", ".join(codes)
        reason = f"{_SAME_DRIFT}{newest.correction_key} waited for a person: {why}"
    return holds | dict.fromkeys(codes, reason)


def blank_progress(now: datetime) -> dict[str, Any]:
    """The columns of a correction to which nothing has happened yet."""
    return {
        "approved_hash": None,
        "approved_until": None,
        "lease_token": None,
        "lease_until": None,
        "next_attempt_at": now,
        "attempts": 0,
        "possibly_sent": False,
        "dry_run_at": None,
        "target_record_id": None,
        "created_at": now,
        "updated_at": now,
        "accepted_at": None,
        "verified_at": None,
        "withdrawn_at": None,
    }


def _may_follow(previous: Correction, proposal: _Proposal) -> bool:
    """Whether a proposal that was dealt with before is a new drift: it was settled, and the data
    that propose it again are newer than the settlement."""
    if proposal.frontier_at is None:
        return False
    if previous.withdrawn_at is not None:
        return proposal.frontier_at > previous.withdrawn_at
    if previous.state is State.VERIFIED and previous.accepted_at is not None:
        # The proof came from an extraction after this; data since then that show the drift are new.
        return proposal.frontier_at > previous.accepted_at
    if previous.state in _REPEATABLE:
        return proposal.frontier_at > previous.updated_at
    if previous.state is State.REFUSED and previous.state_reason.startswith(_RE_EVALUATED):
        return proposal.frontier_at > previous.updated_at
    return False


# What a proposal tells beside its content; how new its data are changes with each pass.
_MAY_MOVE = ("rule_id", "obligation_ids", "relied_on_systems", "value_at_risk", "currency")


def _refresh(
    store: OperationsStore,
    connection: Any,
    previous: Correction,
    proposal: _Proposal,
    policy: Policy,
    now: datetime,
    result: EnqueueResult,
) -> None:
    """Let an unsent correction follow its proposal; approval of other content is void."""
    same_content = previous.payload_hash == proposal.payload_hash
    holds = _holds(proposal, policy, now)
    # Who approved before the books closed did not agree to posting into a closed period.
    closed_since = HOLD_PERIOD in holds and HOLD_PERIOD not in previous.hold_codes
    approved = same_content and previous.approved_hash == proposal.payload_hash and not closed_since
    lasting = [code for code in previous.hold_codes if code in _LASTING]
    codes = sorted({*holds, *lasting})
    waits = previous.state is State.AWAITING_APPROVAL
    if same_content and codes == previous.hold_codes and (approved or waits == bool(codes)):
        result.unchanged += 1
        if any(getattr(previous, name) != proposal.columns[name] for name in _MAY_MOVE):
            # The same content may be worth more by now, and who must agree goes by that.
            store.update_unsent(connection, previous.correction_key, now, **proposal.columns)
        return
    key = previous.correction_key
    result.changed += 1
    values: dict[str, Any] = {
        **proposal.columns,
        "hold_codes": codes,
        "needs_approval": HOLD_APPROVAL in holds,
        "dry_run_at": previous.dry_run_at if same_content else None,
    }
    if not approved:
        values |= {"approved_hash": None, "approved_until": None}
    if approved or (not waits and not codes):
        store.update_unsent(connection, key, now, **values)
        return
    if codes:
        kept = previous.state_reason if lasting else ""
        reason = "; ".join(dict.fromkeys(filter(None, [kept, *holds.values()])))
        if previous.approved_hash is not None and not same_content:
            reason = f"changed after it was approved; {reason}"
        store.transition(connection, key, Event.HOLD, now, state_reason=reason, **values)
    else:
        values["next_attempt_at"] = previous.due_after(now)
        reason = "no longer needs a person"
        store.transition(connection, key, Event.RELEASE, now, state_reason=reason, **values)


def _withdraw(
    store: OperationsStore,
    connection: Any,
    known: Collection[str],
    goes_on: Mapping[str, str],
    targets: Collection[str] | None,
    now: datetime,
) -> int:
    """Take back what is proposed no more, as long as nothing of it is under way. ``goes_on``: what
    is proposed with other values now, and as which correction."""
    gone: list[str] = []
    rejected: list[str] = []
    for key, proposal, state in store.not_withdrawn(connection, _STANDING, targets):
        if proposal not in known:
            # A rejected one stays rejected, but its drift ended: the next one is asked anew.
            (rejected if state is State.REJECTED else gone).append(key)
    store.mark_withdrawn(connection, rejected, now)
    for key in gone:
        reason = "the drift is gone from the data"
        if key in goes_on:
            reason = f"the drift goes on with other values: {goes_on[key]}"
        store.transition(
            connection, key, Event.WITHDRAW, now, state_reason=reason, withdrawn_at=now
        )
    return len(gone)


def _json(value: Any) -> Any:
    """A JSON column: text of a JSON document, or the value itself. Plain text stays plain."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except ValueError:
        return value


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise InvalidProposalError(f"{value!r} is not a time")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
