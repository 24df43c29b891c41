"""Runs raw payloads through the karrio SDK (LGPL), with the network shut: a program, not a module.

Reads ``[[carrier, tracking number, payload], ...]`` from stdin and writes what karrio makes of it:
``{"events": [...], "statuses": {carrier: {code: status}}}``. Needs a Python that has karrio.
"""

from __future__ import annotations

import importlib
import json
import socket
import sys
from functools import lru_cache
from typing import Any


def _shut(*_: Any, **__: Any) -> None:
    raise OSError("no network in this test")


socket.socket.connect = _shut  # type: ignore[method-assign]
socket.getaddrinfo = _shut  # type: ignore[assignment]

import karrio.lib as lib  # noqa: E402
import karrio.sdk as karrio  # noqa: E402
from loguru import logger  # noqa: E402

logger.remove()

ACCOUNT = {"account_number": "1"}
OAUTH = {"client_id": "x", "client_secret": "x"}
GATEWAYS = {
    "fedex": ("fedex", {"track_api_key": "x", "track_secret_key": "x", "api_key": "x"}),
    "ups": ("ups", OAUTH | ACCOUNT),
    "usps": ("usps", OAUTH | ACCOUNT),
    "dhl_express": ("mydhl", {"username": "x", "password": "x"} | ACCOUNT),
    "dhl_unified": ("dhl_universal", {"consumer_key": "x", "consumer_secret": "x"}),
    "easypost": ("easypost", {"api_key": "x"}),
}
GATEWAYS["fedex"][1].update({"secret_key": "x"} | ACCOUNT)


def _handed_over(carrier: str, number: str, payload: Any) -> Any:
    """The answer as karrio's own HTTP layer hands it to its parser."""
    if carrier in ("fedex", "dhl_express"):
        return lib.Deserializable(json.dumps(payload), lib.to_dict)
    if carrier == "dhl_unified":
        return lib.Deserializable([payload])
    if carrier == "easypost":
        return lib.Deserializable([(number, payload["result"])])
    return lib.Deserializable([(number, payload)])


@lru_cache
def _gateway(carrier: str) -> Any:
    name, settings = GATEWAYS[carrier]
    utils = importlib.import_module(f"karrio.providers.{name}.utils")
    # A delivered package would have it ask for the proof of delivery.
    utils.get_proof_of_delivery = lambda *_: None
    return karrio.gateway[name].create(settings)


def events_of(carrier: str, number: str, payload: Any) -> list[dict[str, Any]]:
    details, _ = _gateway(carrier).mapper.parse_tracking_response(
        _handed_over(carrier, number, payload)
    )
    return [
        {
            "carrier": carrier,
            "number": detail.tracking_number,
            "code": event.code,
            "status": event.status,
            "date": event.date,
            "time": event.time,
            "timestamp": event.timestamp,
        }
        for detail in details
        for event in detail.events
    ]


def statuses_of(carrier: str) -> dict[str, str]:
    units = importlib.import_module(f"karrio.providers.{GATEWAYS[carrier][0]}.units")
    return {code: status.name for status in units.TrackingStatus for code in status.value}


if __name__ == "__main__":
    events = [event for case in json.load(sys.stdin) for event in events_of(*case)]
    statuses = {carrier: statuses_of(carrier) for carrier in GATEWAYS}
    json.dump({"events": events, "statuses": statuses}, sys.stdout)
