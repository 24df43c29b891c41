"""A carrier's pushes: payload files in the shape of FedEx, as a webhook receiver leaves them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

PICKED_UP, ON_ITS_WAY, DELIVERED = "PU", "OD", "DL"
FIRST_NUMBER = 794_800_000_000
# Where the packages are, and therefore in which time the scans are told.
ZONE = ZoneInfo("America/New_York")


class Carrier:
    """Gives tracking numbers, scans packages, and pushes the history of each to the inbox."""

    def __init__(self, inbox: Path) -> None:
        self.inbox = inbox
        self._given = 0
        self._scans: dict[str, list[dict[str, object]]] = {}

    def number(self) -> str:
        """A tracking number that no package has yet."""
        self._given += 1
        return str(FIRST_NUMBER + self._given)

    def scan(self, number: str, code: str) -> None:
        """Scan a package now and push its whole history, the newest scan first."""
        scans = self._scans.setdefault(number, [])
        scans.insert(
            0,
            {
                "date": datetime.now(ZONE).isoformat(timespec="seconds"),
                "eventType": code,
                "eventDescription": code,
                "exceptionCode": "",
                "scanLocation": {
                    "city": "NEWARK",
                    "stateOrProvinceCode": "NJ",
                    "postalCode": "07101",
                    "countryCode": "US",
                },
                "derivedStatusCode": code,
            },
        )
        result = {"trackingNumberInfo": {"trackingNumber": number}, "scanEvents": scans}
        payload = {
            "output": {
                "completeTrackResults": [{"trackingNumber": number, "trackResults": [result]}]
            }
        }
        self.inbox.mkdir(parents=True, exist_ok=True)
        draft = self.inbox / f"{number}-{len(scans)}.tmp"
        draft.write_text(json.dumps(payload), encoding="utf-8")
        draft.rename(draft.with_suffix(".json"))
