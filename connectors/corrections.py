"""What the targets of HTTP systems share: sending a write under a key and judging the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from connectors.base import CorrectionRequest, Outcome, Result, SourceError, TargetState
from connectors.deadlines import Deadline, TooLateError, leave, leaving_before
from connectors.http import (
    TOO_LATE,
    HttpClient,
    NoAnswerError,
    NotSentError,
    http_date,
    problem_text,
    retry_after_seconds,
)
from registry.crash_points import crash_point
from registry.systems import System

VERSION_CONFLICT = "version_conflict"
RESPONSE_LIMIT = 2000  # characters of an answer kept for the history

# Statuses that say that later may be better.
_LATER = {423: "locked", 425: "too_early", 429: "rate_limited", 503: "unavailable"}
# Those of them that a gateway says, too, when the target behind it has already done its work.
_OF_GATEWAYS = frozenset({429, 503})
# Statuses with a meaning of their own among the refusals; each of them needs a person or new data.
_REFUSALS = {
    401: "unauthorised",
    403: "forbidden",
    409: VERSION_CONFLICT,
    412: VERSION_CONFLICT,
}


# Whether a write of the present attempt succeeded.
_BEGUN: ContextVar[bool] = ContextVar("begun", default=False)


class NotDoneError(Exception):
    """A step did not do its work; ``outcome`` says why and what to do about it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


class NotRepresentableError(ValueError):
    """A number that the target can't hold exactly; it is refused rather than rounded."""


@dataclass(frozen=True)
class ChangedField:
    """A field of a line that corrections change: its name in payloads (the old value is under
    ``old_<name>``), its name in the target's dialect, and how the dialect writes a value."""

    name: str
    dialect: str
    write: Callable[[Any], str | int]

    @property
    def old_name(self) -> str:
        return f"old_{self.name}"


@dataclass(frozen=True)
class Action:
    """How a target does one kind of correction. ``apply`` and ``undo`` may raise SourceError while
    they only read, NotRepresentableError and NotDoneError; ``guarded`` turns them into outcomes."""

    read: Callable[[CorrectionRequest], TargetState]
    apply: Callable[[CorrectionRequest], Outcome]
    undo: Callable[[CorrectionRequest, str | None], Outcome]


class HttpTarget:
    """A Target made of actions, one a kind. A connector's target.py fills ``actions``."""

    def __init__(self, system: System, http: HttpClient) -> None:
        self.system = system
        self.http = http
        self.allowance = http.allowance
        self.actions: dict[str, Action] = {}

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self.actions)

    def read(self, request: CorrectionRequest) -> TargetState:
        """See connectors.base.Target."""
        return self.actions[request.kind].read(request)

    def apply(self, request: CorrectionRequest) -> Outcome:
        """See connectors.base.Target."""
        action = self.actions.get(request.kind)
        if action is None:
            return _unsupported(self.system, request.kind)
        return deadline_passed(request) or guarded(lambda: action.apply(request), request.deadline)

    def undo(self, request: CorrectionRequest, target_record_id: str | None) -> Outcome:
        """See connectors.base.Target."""
        action = self.actions.get(request.kind)
        if action is None:
            return _unsupported(self.system, request.kind)
        return deadline_passed(request) or guarded(
            lambda: action.undo(request, target_record_id), request.deadline
        )

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        idempotency_key: str,
        record_of: Callable[[Any], str | None],
        headers: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Send one write exactly once. ``record_of`` picks the record's id from the answer."""
        crash_point("connectors.before_request")
        try:
            response = self.http.send(
                method,
                path,
                json=dict(body),
                headers={"Idempotency-Key": idempotency_key, **(headers or {})},
            )
        except NotSentError as error:
            return Outcome(Result.RETRY, error.kind, str(error))
        except NoAnswerError as error:
            return Outcome(Result.UNKNOWN, error.kind, str(error))
        crash_point("connectors.after_answer")
        outcome = self.judge(response, record_of)
        if outcome.result is Result.OK:
            mark_begun()
        return outcome

    def send_batch(
        self,
        path: str,
        items: Mapping[str, Mapping[str, Any]],
        requests: Sequence[CorrectionRequest],
        record_of: Callable[[Any], str | None],
    ) -> Mapping[str, Outcome]:
        """POST several writes in one request, exactly once: ``{"items": [{"key", ...}]}``.

        ``items``: idempotency key -> body. The answer (207) has an item a key with its ``status``.
        """
        body = {"items": [{"key": key, **item} for key, item in items.items()]}
        deadlines = [r.deadline for r in requests if r.deadline is not None]
        try:
            with leaving_before(min(deadlines, key=lambda d: d.before, default=None)):
                response = self.http.send("POST", path, json=body)
        except NotSentError as error:
            return dict.fromkeys(items, Outcome(Result.RETRY, error.kind, str(error)))
        except NoAnswerError as error:
            return dict.fromkeys(items, Outcome(Result.UNKNOWN, error.kind, str(error)))
        return judge_items(response, list(items), record_of)

    def judge(self, response: httpx.Response, record_of: Callable[[Any], str | None]) -> Outcome:
        """The outcome of an answer; a target whose errors come with status 200 overrides it."""
        return judge(response, record_of)


def guarded(attempt: Callable[[], Outcome], deadline: Deadline | None = None) -> Outcome:
    """Run a write of one or several steps, and the reads between them. Nothing leaves after the
    deadline. What fails before a step succeeded had no effect. After one, a part of the work stands
    or all of it, which only a read tells: called "not applied", it would be taken for somebody
    else's when it is found."""
    token = _BEGUN.set(False)
    try:
        with leaving_before(deadline):
            outcome = _judged(attempt)
        if outcome.result is Result.RETRY and _BEGUN.get():
            return replace(outcome, result=Result.UNKNOWN)
        return outcome
    finally:
        _BEGUN.reset(token)


def mark_begun() -> None:
    """A write of the present attempt succeeded: see ``guarded``."""
    _BEGUN.set(True)


def mark_not_begun() -> None:
    """What succeeded so far only prepared the work, of which it is certain that nothing stands."""
    _BEGUN.set(False)


def _judged(attempt: Callable[[], Outcome]) -> Outcome:
    try:
        return attempt()
    except NotDoneError as error:
        return error.outcome
    except TooLateError as error:
        return _too_late(error)
    except NotRepresentableError as error:
        return Outcome(Result.REFUSED, "not_representable", str(error))
    except SourceError as error:
        if _BEGUN.get():
            return Outcome(Result.UNKNOWN, error.kind, str(error))
        if error.kind == "not_found":
            return Outcome(Result.REFUSED, "http_404", str(error))
        if error.kind in ("unauthorised", "forbidden", "refused", "redirected"):
            return Outcome(Result.REFUSED, error.kind, str(error))
        return Outcome(Result.RETRY, error.kind, str(error))


def judge(response: httpx.Response, record_of: Callable[[Any], str | None]) -> Outcome:
    """The outcome that an answer stands for.

    2xx ok; 409 and 412 refused as ``version_conflict`` (newer data decide anew); 401, 403 and
    every other 4xx refused, for a person; 423, 425, 429 and 503 retry, the last two as perhaps
    applied; 408 and every other 5xx unknown, because a server that breaks in the middle may have
    done its work.
    """
    status = response.status_code
    text = response.text[:RESPONSE_LIMIT]
    if response.is_success:
        return Outcome(
            Result.OK,
            f"http_{status}",
            target_record_id=_record_id(response, record_of),
            response=text,
        )
    message = problem_text(response)
    if status in _LATER:
        wait = retry_after_seconds(response, _source_time(response))
        return Outcome(
            Result.RETRY,
            _LATER[status],
            message,
            retry_after_seconds=wait,
            response=text,
            perhaps_applied=status in _OF_GATEWAYS,
        )
    if status == httpx.codes.REQUEST_TIMEOUT or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Outcome(Result.UNKNOWN, f"http_{status}", message, response=text)
    return Outcome(Result.REFUSED, _REFUSALS.get(status, f"http_{status}"), message, response=text)


def judge_items(
    response: httpx.Response, keys: Sequence[str], record_of: Callable[[Any], str | None]
) -> Mapping[str, Outcome]:
    """The outcome of each item of a batch, by its key.

    An answer about the whole request holds for every item, but for a refusal: which item it is
    about nobody knows, so each is tried again alone. In a 2xx answer each item is judged by its own
    status like an answer of its own. An item that is not mentioned, or that is told twice in
    different ways, is not in the result: nothing is known of it.
    """
    if not response.is_success:
        whole = judge(response, record_of)
        if whole.result is Result.REFUSED and len(keys) > 1:
            message = f"the whole request was refused ({whole.code}: {whole.message})"
            whole = Outcome(Result.RETRY, "batch_refused", message, response=whole.response)
        return dict.fromkeys(keys, whole)
    told: dict[str, Outcome] = {}
    contradicted: set[str] = set()
    for item in _items(response):
        key, status = str(item.get("key")), item.get("status")
        if key not in keys or not isinstance(status, int) or not 100 <= status <= 599:
            continue
        outcome = judge(httpx.Response(status, json=item), record_of)
        if key in told and told[key] != outcome:
            contradicted.add(key)
        told[key] = outcome
    return {key: outcome for key, outcome in told.items() if key not in contradicted}


def _items(response: httpx.Response) -> list[dict[str, Any]]:
    """The items of a batch's answer; none when it can't be read."""
    try:
        items = response.json()["items"]
    except (ValueError, KeyError, TypeError):
        return []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def deadline_passed(request: CorrectionRequest) -> Outcome | None:
    """The outcome when a sender was held up for so long that what it read no longer counts; None
    while there is time. Nothing was sent."""
    try:
        with leaving_before(request.deadline):
            leave()
    except TooLateError as error:
        return _too_late(error)
    return None


def _too_late(error: TooLateError) -> Outcome:
    return Outcome(Result.RETRY, TOO_LATE, str(error))


def conflict(message: str) -> Outcome:
    """Nothing was sent: the target holds something else than the correction expects."""
    return Outcome(Result.REFUSED, VERSION_CONFLICT, message)


def already_undone(record_id: str | None) -> Outcome:
    """An undo found its work done."""
    return Outcome(Result.OK, "already_undone", target_record_id=record_id)


def missing(system: str, what: str) -> SourceError:
    """The record that a correction is about does not exist."""
    return SourceError("not_found", f"{system} has no {what}: it was deleted, or never existed")


def undo_key(request: CorrectionRequest) -> str:
    """The key of the inverse: derived, so that repeating an undo has one effect."""
    return f"{request.idempotency_key}-undo"


def decimal(value: Any) -> Decimal:
    """A number of a payload or an answer; raises NotRepresentableError when it is none."""
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise NotRepresentableError(f"{value!r} is not a number") from error


def fixed(value: Any, places: int) -> str:
    """A number with exactly ``places`` decimals, never rounded."""
    number = decimal(value)
    text = f"{number:.{places}f}"
    if Decimal(text) != number:
        raise NotRepresentableError(f"{value} has more than {places} decimals")
    return text


def whole(value: Any) -> int:
    """A whole number, never rounded."""
    number = decimal(value)
    if number != number.to_integral_value():
        raise NotRepresentableError(f"{value} is not a whole number")
    return int(number)


def _record_id(response: httpx.Response, record_of: Callable[[Any], str | None]) -> str | None:
    try:
        return record_of(response.json())
    except (ValueError, KeyError, TypeError):
        # It said yes; that its answer can't be read costs us only the shortcut to the record.
        return None


def _source_time(response: httpx.Response) -> datetime:
    """The source's present: a Retry-After date is meant on its clock, which may be minutes off."""
    return http_date(response.headers.get("Date")) or datetime.now(UTC)


def _unsupported(system: System, kind: str) -> Outcome:
    return Outcome(
        Result.REFUSED, "kind_not_supported", f"'{system.name}' takes no corrections of kind {kind}"
    )
