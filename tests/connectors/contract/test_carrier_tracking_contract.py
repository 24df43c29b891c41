"""carrier_tracking keeps the contract both ways in: an inbox of payloads, and a carrier asked.

The carrier is the small server of tests/carriers, which speaks as FedEx documents its interface.
"""

from __future__ import annotations

import itertools
import json
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from contract_subject import FolderSubject, Subject
from contract_suite import CursorContract, FolderContract, HttpReadingContract, ReadingContract
from faulty_proxy import Asked

sys.path.insert(0, str(Path(__file__).parents[2] / "carriers"))

from carrier_server import TOKEN, CarrierServer

from registry.systems import System

DAY = "2026-11-10"


def scan(**changes: Any) -> dict[str, Any]:
    """One scan as FedEx tells it, in a town that nobody else has."""
    place = {"city": uuid.uuid4().hex, "stateOrProvinceCode": "NY", "countryCode": "US"}
    told = {"date": f"{DAY}T11:10:00-05:00", "eventType": "PU", "scanLocation": place}
    return {**told, **changes}


def payload(number: str, *scans: dict[str, Any]) -> dict[str, Any]:
    result = {"trackingNumberInfo": {"trackingNumber": number}, "scanEvents": list(scans)}
    return {"trackingNumber": number, "trackResults": [result]}


def identity(number: str) -> str:
    return f"{number}|{DAY}T16:10:00Z|fedex/PU"


class Inbox(FolderSubject):
    connector = "carrier_tracking"
    entities = ("tracking_events",)
    moving = entities
    damages = ("encoding", "document", "shape", "scan")
    base_url = "inbox"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / self.base_url
        self.folder.mkdir()
        self._numbers = map(str, itertools.count(794_800_000_001))
        self._first = next(self._numbers)
        self._last = self._new_file()
        self._append(self._first)

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        yield cls(folder)

    def system(self, **changes: Any) -> System:
        settings: dict[str, Any] = {
            "name": "parcels",
            "role": "carrier",
            "connector": "carrier_tracking",
            "base_url": self.base_url,
            "folder": self.root,
        }
        return System(**{**settings, **changes})

    def make(self, entity: str, count: int) -> list[str]:
        """A file each; of several, the first corrects the oldest scan, in the last file."""
        made = []
        if count > 1:
            made.append(self._append(self._first))
        for _ in range(count - len(made)):
            self._last = self._new_file()
            made.append(self._append(next(self._numbers)))
        return made

    def grow(self, entity: str) -> str:
        return self._append(next(self._numbers))

    def spoil(self, entity: str, damage: str) -> Path:
        number = next(self._numbers)
        path = self.folder / f"000-{number}.ndjson"
        broken = {
            "encoding": b'{"trackingNumber": "\xff"}\n',
            "document": b"{not: json}\n",
            "shape": json.dumps({"parcel": number}).encode() + b"\n",
            "scan": json.dumps(payload(number, scan(date="soon"))).encode() + b"\n",
        }
        path.write_bytes(broken[damage])
        return path

    def mend(self, entity: str, path: Path) -> list[str]:
        number = path.stem.removeprefix("000-")
        path.write_text(json.dumps(payload(number, scan())) + "\n")
        return [identity(number)]

    def _new_file(self) -> Path:
        return self.folder / f"{next(self._numbers)}.ndjson"

    def _append(self, number: str) -> str:
        with self._last.open("a") as handle:
            handle.write(json.dumps(payload(number, scan())) + "\n")
        return identity(number)


class Fedex(Subject):
    connector = "carrier_tracking"
    entities = ("tracking_events",)
    moving = entities
    exempt: ClassVar[Mapping[str, str]] = {
        **Subject.exempt,
        "CursorContract": "an answer holds the whole history of a package: all are asked again",
        "DeletionContract": "what a carrier forgets has happened all the same",
        "CorrectionContract": "a carrier takes no corrections",
        "HttpCorrectionContract": "a carrier takes no corrections",
    }
    environment = {"ID": "me", "SECRET": "secret"}  # noqa: RUF012 - declared in the parent

    def __init__(self, root: Path) -> None:
        self.root = root
        self.server = CarrierServer({"/track/v1/trackingnumbers": self._answer})
        self.base_url = self.server.url
        self._packages: dict[str, dict[str, Any]] = {}
        self._numbers = map(str, itertools.count(794_800_000_001))
        self.make(self.entities[0], 1)

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        subject = cls(folder)
        with subject.server:
            yield subject

    def system(self, **changes: Any) -> System:
        settings: dict[str, Any] = {
            "name": "fedex",
            "role": "carrier",
            "connector": "carrier_tracking",
            "base_url": self.base_url,
            "requests_per_second": 1000,
            "options": {"carrier": "fedex", "numbers": "numbers.txt"},
            "secrets": {"client_id": "ID", "client_secret": "SECRET"},
            "folder": self.root,
        }
        return System(**{**settings, **changes})

    def make(self, entity: str, count: int) -> list[str]:
        """New packages and, of several, a corrected scan of the first one. Old ones are asked for
        no more, as the connector's documentation wants it."""
        chosen = list(self._packages)[:1] if count > 1 else []
        chosen += [next(self._numbers) for _ in range(count - len(chosen))]
        self._packages |= {number: payload(number, scan()) for number in chosen}
        first, *others = self._packages
        (self.root / "numbers.txt").write_text("\n".join([first, *others[-10:]]) + "\n")
        return [identity(number) for number in chosen]

    def is_read(self, asked: Asked) -> bool:
        return asked.path.endswith("/trackingnumbers")

    def _answer(self, headers: Any, path: str, query: Any, question: Any) -> tuple[int, Any]:
        if headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {}
        wanted = [item["trackingNumberInfo"]["trackingNumber"] for item in question["trackingInfo"]]
        return 200, {"output": {"completeTrackResults": [self._packages[n] for n in wanted]}}


class TestInbox(FolderContract, CursorContract):
    subject_class = Inbox


class TestFedex(ReadingContract, HttpReadingContract):
    subject_class = Fedex
