"""From a payload to one record a scan, by the shapes that ``shapes.yaml`` describes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors.base import Record
from connectors.carrier_tracking.times import (
    MOST_AHEAD,
    MOST_BEHIND,
    Moment,
    Place,
    at_place,
    told,
    utc_text,
)

SHAPES = Path(__file__).resolve().parent / "shapes.yaml"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
_TROUBLES = frozenset({"error", "errors", "warnings", "detail"})
_QUARTER_HOUR = timedelta(minutes=15)


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Value(_Data):
    """A path with a default and, for codes at the end of a text, what they come ``last`` after."""

    path: str = Field(alias="from")
    default: str | None = None
    last: str | None = None


Paths = str | tuple[str, ...]


class Package(_Data):
    has: tuple[str, ...]
    number: str
    event_has: tuple[str, ...] = ()

    @cached_property
    def keys(self) -> frozenset[str]:
        return frozenset(self.has)


class Time(_Data):
    """One way of telling when: see the head of ``shapes.yaml``."""

    iso: str | None = None
    local: tuple[str, ...] = ()
    utc: tuple[str, ...] = ()
    offset: str | None = None
    z_needs: tuple[str, ...] = ()
    no_midnight: bool = False

    @field_validator("local", "utc", mode="before")
    @classmethod
    def _as_parts(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Where(_Data):
    country: Value | Paths | None = None
    region: Value | Paths | None = None
    city: Value | Paths | None = None
    postal_code: Value | Paths | None = None


class Shape(_Data):
    """One entry of ``shapes``."""

    carrier: str
    package: Package
    events: str
    code: Paths
    detail: Paths | None = None
    status: Paths | None = None
    reason: Paths | None = None
    blank: tuple[str, ...] = ()
    description: tuple[str, ...] = ()
    recorded_at: str | None = None
    times: tuple[Time, ...]
    place: Where

    def fits(self, node: Mapping[str, Any]) -> bool:
        """Whether an object stands for a package in this shape."""
        if not self.package.keys <= node.keys():
            return False
        if not self.package.event_has:
            return True
        events = self.scans(node)
        return bool(events) and all(
            isinstance(events[0], dict) and key in events[0] for key in self.package.event_has
        )

    def scans(self, node: Mapping[str, Any]) -> Sequence[Any]:
        if self.events == ".":
            return [node]
        found = value_at(node, self.events)
        return found if isinstance(found, list) else []


class Number(_Data):
    """How a tracking number is sent where it is not in the path."""

    parameter: str | None = None
    joined: str | None = None
    body: dict[str, Any] = {}
    list: str | None = None
    item: str | None = None


class Paging(_Data):
    """``more`` says whether there is another page, ``next`` what ``parameter`` asks for it."""

    size: str
    more: str
    parameter: str
    next: str


class Auth(_Data):
    kind: Literal["client_credentials", "basic", "header"]
    token_path: str = ""
    in_body: bool = False
    header: str = ""


class Poll(_Data):
    """One entry of ``polls``."""

    path: str
    parameters: dict[str, str] = {}
    headers: dict[str, str] = {}
    packages: str
    batch: int = 1
    number: Number = Number()
    paging: Paging | None = None
    unknown_is_404: bool = False
    auth: Auth


class Catalogue(_Data):
    """All of ``shapes.yaml``."""

    shapes: tuple[Shape, ...]
    polls: dict[str, Poll]


@lru_cache
def catalogue() -> Catalogue:
    return Catalogue.model_validate(yaml.safe_load(SHAPES.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Understood:
    """What a payload says: its scans, how many packages it names, and an error text if it has one.

    No package and no error text: nobody knows this shape.
    """

    records: list[Record]
    packages: int
    said: str | None


def understand(payload: Any, system_zone: str) -> Understood:
    """The scans of a payload, each event once, in the payload's order.

    Two tellings of one event within a payload give the greater one, whatever their order.
    """
    records: dict[str, Record] = {}
    packages: list[tuple[Shape, dict[str, Any]]] = []
    said: list[str] = []
    _look_through(payload, packages, said)
    for shape, node in packages:
        for event in shape.scans(node):
            record = _record(shape, node, event, system_zone)
            known = records.get(record.record_id)
            if known is None or known.raw < record.raw:
                records[record.record_id] = record
    return Understood(list(records.values()), len(packages), said[0] if said else None)


def value_at(node: Any, path: str) -> Any:
    """What a path leads to; a number is a position in a list. None when it leads nowhere."""
    for step in _steps(path):
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and step.lstrip("-").isdigit():
            node = node[int(step)] if -len(node) <= int(step) < len(node) else None
        else:
            return None
    return node


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def _look_through(node: Any, packages: list[tuple[Shape, dict[str, Any]]], said: list[str]) -> None:
    """Collect the packages at any depth, and what errors and warnings say, scans apart."""
    if isinstance(node, list):
        for item in node:
            _look_through(item, packages, said)
    elif isinstance(node, dict):
        shape = next((shape for shape in catalogue().shapes if shape.fits(node)), None)
        if shape:
            packages.append((shape, node))
        for key, child in node.items():
            if child and key in _TROUBLES:
                said.append(_encode(child)[:300])
            elif isinstance(child, (dict, list)) and not (shape and key == shape.events):
                _look_through(child, packages, said)


class _Scan:
    """One event of a package with its shape: reads texts by their paths."""

    def __init__(self, shape: Shape, package: Mapping[str, Any], event: Any) -> None:
        self._shape = shape
        self._package = package
        self._event = event

    def text(self, path: str) -> str | None:
        node = self._package if path.startswith("^") else self._event
        value = value_at(node, path.removeprefix("^"))
        if value is None or isinstance(value, (dict, list)):
            return None
        return str(value).strip() or None

    def first(self, wanted: Value | Paths | None) -> str | None:
        if wanted is None:
            return None
        if isinstance(wanted, Value):
            value = self.text(wanted.path) or wanted.default
            return value.rpartition(wanted.last)[2] if value and wanted.last else value
        paths = (wanted,) if isinstance(wanted, str) else wanted
        return next(filter(None, map(self.text, paths)), None)

    def code(self, paths: Paths | None, blank: Sequence[str] = ()) -> str | None:
        """The carrier and its code, such as ``ups/X/RF``; None unless every part is told."""
        if paths is None:
            return None
        parts = [self.text(path) for path in ((paths,) if isinstance(paths, str) else paths)]
        if any(part is None or part in blank for part in parts):
            return None
        return "/".join([self._shape.carrier, *(part for part in parts if part)])

    def joined(self, paths: Sequence[str]) -> str | None:
        """Date and time in one text; a time that lost its leading zero gets it back."""
        parts = [self.text(path) for path in paths]
        if not parts or None in parts:
            return None
        date, *time = (part for part in parts if part)
        return "T".join([date, *(t.zfill(6) if t.isdigit() else t for t in time)])


def _record(shape: Shape, package: Mapping[str, Any], event: Any, system_zone: str) -> Record:
    scan = _Scan(shape, package, event)
    told_number = value_at(package, shape.package.number)
    number = None if told_number is None else str(told_number).strip()
    raw = _encode({"carrier": shape.carrier, "number": told_number, "event": event})
    country, region, city, postal_code = (
        scan.first(wanted)
        for wanted in (
            shape.place.country,
            shape.place.region,
            shape.place.city,
            shape.place.postal_code,
        )
    )
    status = scan.code(shape.status)
    code = scan.code(shape.code) or status
    detail = scan.code(shape.detail, shape.blank)
    reason = scan.code(shape.reason, shape.blank)
    moment = _moment(scan, shape.times, Place(country, region), system_zone)
    recorded = _parse(scan.text(shape.recorded_at)) if shape.recorded_at else None
    event_id = _identity(number, moment, detail or code, reason)
    fields: dict[str, Any] = {
        # A scan that lacks a part of its identity has its text for one: the contract refuses it.
        "event_id": event_id or f"{shape.carrier}|{hashlib.md5(raw.encode()).hexdigest()}",
        "carrier": shape.carrier,
        "tracking_number": number,
        "code": code,
        "detail": detail,
        "status": status,
        "reason": reason,
        "description": scan.first(shape.description),
        "occurred_at": utc_text(moment.at) if moment else None,
        "occurred_from": utc_text(moment.earliest) if moment else None,
        "occurred_to": utc_text(moment.latest) if moment else None,
        "local_time": moment.wall if moment else None,
        "time_method": moment.method if moment else None,
        "recorded_at": utc_text(recorded) if recorded and recorded.tzinfo else None,
        "country": country,
        "region": region,
        "city": city,
        "postal_code": postal_code,
    }
    return Record(record_id=fields["event_id"], fields=fields, raw=raw, reference=number)


def _identity(
    number: str | None, moment: Moment | None, code: str | None, reason: str | None
) -> str | None:
    """What stays the same however often and in whichever payload a carrier repeats a scan.

    Number, moment and code, and the reason unless the code says it: one stop of a truck may give
    two reasons.
    """
    if not number or moment is None or code is None:
        return None
    says_why = reason is None or reason.rpartition("/")[2] == code.rpartition("/")[2]
    return "|".join([number, moment.identity, code, *([] if says_why or not reason else [reason])])


def _moment(scan: _Scan, times: Sequence[Time], place: Place, zone: str) -> Moment | None:
    """The moment by the first of the ways in which it is told; None when there is none."""
    for time in times:
        way = _by_iso if time.iso else _by_parts
        moment = way(scan, time, place, zone)
        if moment:
            return moment
    return None


def _by_iso(scan: _Scan, time: Time, place: Place, zone: str) -> Moment | None:
    text = scan.text(time.iso or "")
    read = _parse(text)
    if text is None or read is None:
        return None
    is_doubtful = read.utcoffset() == timedelta() and time.z_needs
    if read.tzinfo and not (is_doubtful and not any(map(scan.text, time.z_needs))):
        return told(read, read.isoformat())
    local = read.replace(tzinfo=None)
    is_day = _is_date(text) or (time.no_midnight and local.time() == datetime.min.time())
    return at_place(local, is_day, place, zone)


def _by_parts(scan: _Scan, time: Time, place: Place, zone: str) -> Moment | None:
    local_text = scan.joined(time.local)
    local, universal = _parse(local_text), _parse(scan.joined(time.utc))
    instant = universal.replace(tzinfo=UTC) if universal else None
    if not time.local:
        return told(instant, utc_text(instant)) if instant else None
    if local is None or local_text is None:
        return None
    local = local.replace(tzinfo=None)
    if time.utc:
        return told(instant, _wall(local, instant)) if instant else None
    if time.offset:
        read = _parse(f"{local.isoformat()}{scan.text(time.offset) or ''}")
        return told(read, read.isoformat()) if read and read.tzinfo else None
    return at_place(local, _is_date(local_text), place, zone)


def _wall(local: datetime, instant: datetime) -> str:
    """Local time with its offset, unless the two times told can't differ by one."""
    offset = local - instant.replace(tzinfo=None)
    if offset % _QUARTER_HOUR or not -MOST_BEHIND <= offset <= MOST_AHEAD:
        return local.isoformat()
    return local.replace(tzinfo=timezone(offset)).isoformat()


def _is_date(text: str) -> bool:
    return len(text) <= len("YYYY-MM-DD")


def _parse(text: str | None) -> datetime | None:
    """A time in one of the forms of ISO 8601; years that only stand for "none" are none."""
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if 1970 < read.year < 9999 else None
