"""The carriers of the pretend distributor: their names, how they number, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.clock import iso_utc, local_with_offset
from sandbox.numbers import Numbers


@dataclass(frozen=True)
class Carrier:
    """One carrier. ``scac``: its Standard Carrier Alpha Code, as the warehouse writes it.

    ``system``: the one that tells of its scans. ``codes``: its own for those of the house carrier,
    whose they are: OC label, PU picked up, DP departed, AR arrived, OD out for delivery, DL
    delivered.
    """

    scac: str
    system: str
    codes: dict[str, str]


HOUSE = Carrier("SWFT", "carrier", {})
UPS = Carrier("UPSN", "pushes", {"OC": "M", "PU": "P", "DP": "I", "AR": "I", "OD": "O", "DL": "D"})
USPS = Carrier(
    "USPS", "pushes", {"OC": "GX", "PU": "03", "DP": "EF", "AR": "07", "OD": "OF", "DL": "01"}
)
PUSHING = {"ups": UPS, "usps": USPS}
"""Those that a world may have beside the house carrier. They push each scan as it is made."""

BY_SCAC = {carrier.scac: carrier for carrier in (HOUSE, UPS, USPS)}

_UPS_SHIPPER, _UPS_GROUND = "999AA1", "03"
_USPS_SERVICE, _USPS_MAILER = "9400", "100000000"


def tracking_number(carrier: Carrier, numbers: Numbers) -> str:
    """The next tracking number in the carrier's format, with its check digit where it has one."""
    if carrier is HOUSE:
        return numbers.next("tracking")
    serial = int(numbers.next("pushed_parcel"))
    if carrier is UPS:
        body = f"{_UPS_SHIPPER}{_UPS_GROUND}{serial:07d}"
        return f"1Z{body}{ups_check_digit(body)}"
    body = f"{_USPS_SERVICE}{_USPS_MAILER}{serial:08d}"
    return f"{body}{usps_check_digit(body)}"


def ups_check_digit(body: str) -> int:
    """Of the 15 signs after ``1Z``: letters count as digits in the order of the alphabet (A is 2),
    every second place is doubled, modulo 10."""
    values = [int(sign) if sign.isdigit() else (ord(sign) - 63) % 10 for sign in body]
    return -sum(value * (2 if place % 2 else 1) for place, value in enumerate(values)) % 10


def usps_check_digit(body: str) -> int:
    """Of the 21 digits before it: from the right every second one counts three times, modulo 10."""
    digits = map(int, reversed(body))
    return -sum(digit * (1 if place % 2 else 3) for place, digit in enumerate(digits)) % 10


def pushed(carrier: Carrier, tracking: str, code: str, scanned_at: float, zone: str) -> Any:
    """What the carrier pushes of one scan: UPS Track Alert, or a USPS tracking subscription."""
    local = local_with_offset(scanned_at, ZoneInfo(zone))
    universal = iso_utc(int(scanned_at))
    own = carrier.codes[code]
    if carrier is UPS:
        return {
            "trackingNumber": tracking,
            "localActivityDate": local[:10].replace("-", ""),
            "localActivityTime": local[11:19].replace(":", ""),
            "activityLocation": {"country": "US"},
            "activityStatus": {"type": own, "code": own},
            "gmtActivityDate": universal[:10].replace("-", ""),
            "gmtActivityTime": universal[11:19].replace(":", ""),
        }
    return {
        "trackingNumber": tracking,
        "trackingEvents": [
            {
                "eventCode": own,
                "eventTimestamp": local[:19],
                "GMTTimestamp": f"{universal[:19]}Z",
                "GMTOffset": local[19:],
            }
        ],
    }
