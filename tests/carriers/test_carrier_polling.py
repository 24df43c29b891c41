"""Asking carriers over HTTP: how each is asked, what trouble means, and that no answer is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from carrier_payloads import payload, records
from carrier_server import CarrierServer

from connectors.base import Page, Record, SourceError
from connectors.carrier_tracking.shapes import catalogue
from connectors.carrier_tracking.source import ENTITY, PollSource, make_source
from connectors.http import READ_ATTEMPTS
from registry.errors import ConfigurationError
from registry.systems import System

OAUTH = {"client_id": "ID", "client_secret": "SECRET"}
SECRETS: dict[str, dict[str, str]] = {
    "fedex": OAUTH,
    "ups": OAUTH,
    "usps": OAUTH,
    "dhl_express": {"user": "ID", "password": "SECRET"},
    "dhl_unified": {"api_key": "SECRET"},
    "easypost": {"user": "ID"},
    "aftership": {"api_key": "SECRET"},
}
NUMBERS = {
    "fedex": ["794800000001", "794800000002", "794800000003"],
    "ups": ["1Z999AA10123456784"],
    "usps": ["9400100000000000000001"],
    "dhl_express": ["7740842550"],
    "dhl_unified": ["00340434292135100124"],
    "easypost": ["9400110898825022579493"],
    "aftership": ["61293150000079650811"],
}
ENVIRONMENT = {"ID": "me", "SECRET": "secret"}


@pytest.fixture
def server() -> Iterator[CarrierServer]:
    with CarrierServer() as running:
        yield running


def source(
    server: CarrierServer,
    folder: Path,
    carrier: str,
    numbers: list[str] | None = None,
    environment: dict[str, str] | None = None,
    **settings: Any,
) -> PollSource:
    listed = NUMBERS[carrier] if numbers is None else numbers
    (folder / "numbers.txt").write_text("# what is under way\n\n" + "\n".join(listed) + "\n")
    system = System(
        name="carrier",
        role="carrier",
        connector="carrier_tracking",
        base_url=server.url,
        folder=folder,
        options={"carrier": carrier, "numbers": "numbers.txt"},
        secrets=SECRETS[carrier],
        **{"requests_per_second": 1000, **settings},
    )
    made = make_source(system, ENVIRONMENT if environment is None else environment)
    assert isinstance(made, PollSource)
    made.client.http._sleep = lambda _: None
    return made


def read(asked: PollSource) -> list[Record]:
    return [record for page in asked.pages(ENTITY, None) for record in page.records]


def test_every_carrier_with_a_shape_can_be_asked() -> None:
    assert set(catalogue().polls) == {shape.carrier for shape in catalogue().shapes}
    assert set(catalogue().polls) == set(SECRETS)


@pytest.mark.parametrize("carrier", sorted(SECRETS))
def test_an_answer_gives_the_same_events_as_a_payload_in_the_inbox(
    server: CarrierServer, tmp_path: Path, carrier: str
) -> None:
    asked = source(server, tmp_path, carrier)
    asked.probe()
    found = {record.record_id: record for record in read(asked)}
    assert list(found.values()) == records(carrier)
    assert {record.record_id for record in read(asked)} == set(found)


def test_a_list_that_cannot_be_opened_is_named(
    server: CarrierServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    asked = source(server, tmp_path, "fedex")
    monkeypatch.setattr(Path, "stat", forbidden)
    monkeypatch.setattr(Path, "read_text", forbidden)
    with pytest.raises(SourceError, match=r"numbers\.txt \(Permission denied\)") as refused:
        read(asked)
    assert refused.value.kind == "missing"


def test_a_list_that_is_not_utf_8_is_named(server: CarrierServer, tmp_path: Path) -> None:
    asked = source(server, tmp_path, "fedex")
    (tmp_path / "numbers.txt").write_bytes("# für FedEx\n794800000001\n".encode("cp1252"))
    with pytest.raises(SourceError, match=r"numbers\.txt is not UTF-8 .*: save it as UTF-8"):
        read(asked)


def test_numbers_are_asked_in_batches(server: CarrierServer, tmp_path: Path) -> None:
    many = [f"7948{n:08d}" for n in range(65)]
    read(source(server, tmp_path, "fedex", [*many, *many[:5]]))
    sizes = [len(question["trackingInfo"]) for _, _, _, question in server.requests]
    assert sizes == [30, 30, 5]


def test_a_smaller_page_size_makes_smaller_batches(server: CarrierServer, tmp_path: Path) -> None:
    pages: list[Page] = list(source(server, tmp_path, "fedex", page_size=1).pages(ENTITY, None))
    assert len(server.requests) == 3
    assert [len(page.records) for page in pages] == [6, 3, 0, 0]
    assert pages[0].clock_offset_seconds is not None


def test_pages_are_followed_to_their_end(server: CarrierServer, tmp_path: Path) -> None:
    read(source(server, tmp_path, "easypost"))
    asked = [query.get("before_id") for _, _, query, _ in server.requests]
    assert asked == [None, ["trk_3"], ["trk_2"]]


def test_a_number_is_sent_as_a_number(server: CarrierServer, tmp_path: Path) -> None:
    read(source(server, tmp_path, "ups", ["../../admin?x=1"]))
    assert [path for _, path, _, _ in server.requests] == [
        "/api/track/v1/details/..%2F..%2Fadmin%3Fx%3D1"
    ]


@pytest.mark.parametrize("carrier", ["ups", "usps", "dhl_express", "dhl_unified", "easypost"])
def test_a_number_nobody_knows_is_told_and_costs_nothing_else(
    server: CarrierServer, tmp_path: Path, carrier: str
) -> None:
    asked = source(server, tmp_path, carrier, ["4711", *NUMBERS[carrier]], page_size=1)
    found = {record.record_id: record for record in read(asked)}
    assert list(found.values()) == records(carrier)
    assert asked.notices == ["1 of 2 tracking numbers are not known there, for example 4711"]


def test_a_number_nobody_knows_within_a_batch_is_told(
    server: CarrierServer, tmp_path: Path
) -> None:
    asked = source(server, tmp_path, "fedex")
    assert len(read(asked)) == 9
    assert "cannot be found" in asked.notices[0]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "unauthorised"), (403, "forbidden"), (400, "refused")]
)
@pytest.mark.parametrize("carrier", ["ups", "fedex"])
def test_what_repeating_does_not_mend_is_not_repeated(
    server: CarrierServer, tmp_path: Path, carrier: str, status: int, kind: str
) -> None:
    # A withdrawn token is replaced once, so that 401 must come twice to be believed.
    server.faults = [(status, {})] * (2 if status == 401 else 1)
    with pytest.raises(SourceError) as raised:
        read(source(server, tmp_path, carrier))
    assert raised.value.kind == kind and "made for the test" in str(raised.value)
    assert server.faults == [] and server.requests == []


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("carrier", ["ups", "fedex"])
def test_technical_trouble_is_outlived(
    server: CarrierServer, tmp_path: Path, carrier: str, status: int
) -> None:
    server.faults = [(status, {"Retry-After": "1"})] * (READ_ATTEMPTS - 1)
    assert {r.record_id for r in read(source(server, tmp_path, carrier))} == {
        r.record_id for r in records(carrier)
    }


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limited"), (503, "server_error")])
def test_trouble_that_stays_is_named(
    server: CarrierServer, tmp_path: Path, status: int, kind: str
) -> None:
    server.faults = [(status, {})] * READ_ATTEMPTS
    with pytest.raises(SourceError) as raised:
        read(source(server, tmp_path, "fedex"))
    assert raised.value.kind == kind


def test_a_missing_path_is_no_unknown_number_where_the_carrier_never_says_404(
    server: CarrierServer, tmp_path: Path
) -> None:
    server.faults = [(404, {})]
    with pytest.raises(SourceError) as raised:
        read(source(server, tmp_path, "fedex"))
    assert raised.value.kind == "not_found"


@pytest.mark.parametrize("carrier", ["ups", "usps"])
def test_a_missing_place_of_tokens_is_no_unknown_number(
    server: CarrierServer, tmp_path: Path, carrier: str
) -> None:
    """A wrong base_url made a whole pass of unknown packages: nothing had been asked."""
    server.gives_tokens = False
    with pytest.raises(SourceError, match=r"gave no token.*404.*base_url") as raised:
        read(source(server, tmp_path, carrier))
    assert raised.value.kind == "unauthorised"
    assert server.requests == []


@pytest.mark.parametrize(("carrier", "in_form"), [("fedex", True), ("ups", False)])
def test_the_token_is_asked_for_as_the_issuer_wants_it_and_once(
    server: CarrierServer, tmp_path: Path, carrier: str, in_form: bool
) -> None:
    read(source(server, tmp_path, carrier))
    ((header, form),) = server.token_requests
    assert (header is None, "client_secret" in form) == (in_form, in_form)


def test_wrong_credentials_are_named(server: CarrierServer, tmp_path: Path) -> None:
    asked = source(server, tmp_path, "ups", environment={"ID": "me", "SECRET": "wrong"})
    with pytest.raises(SourceError, match="SECRET") as raised:
        asked.probe()
    assert raised.value.kind == "unauthorised"


def test_a_point_read_asks_for_one_number(server: CarrierServer, tmp_path: Path) -> None:
    asked = source(server, tmp_path, "fedex")
    found = asked.read_one(ENTITY, {"tracking_number": "794800000002"})
    assert [record.reference for record in found] == ["794800000002"] * 3
    assert len(server.requests) == 1


def test_no_list_and_no_carrier_are_said(server: CarrierServer, tmp_path: Path) -> None:
    asked = source(server, tmp_path, "ups")
    (tmp_path / "numbers.txt").unlink()
    with pytest.raises(SourceError, match="one number a line"):
        read(asked)
    for options in ({}, {"carrier": "pigeon"}, {"carrier": "ups"}):
        system = asked.system.model_copy(update={"options": options})
        with pytest.raises(ConfigurationError, match=r"options\.(carrier|numbers)"):
            make_source(system, ENVIRONMENT)


def test_an_answer_that_promises_a_page_and_names_none_is_refused(
    server: CarrierServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = source(server, tmp_path, "easypost")
    endless = {"trackers": [payload("easypost")["result"] | {"id": "trk_1"}], "has_more": True}
    monkeypatch.setattr(asked.client.http, "get_json", lambda *_: endless)
    with pytest.raises(SourceError, match="does not say which"):
        read(asked)


def test_an_answer_of_no_known_shape_is_settled_when_it_comes_no_more(
    server: CarrierServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = source(server, tmp_path, "usps")
    with monkeypatch.context() as patched:
        patched.setattr(asked.client, "ask", lambda _: iter([{"parcel": "4711"}]))
        pages = list(asked.pages(ENTITY, None))
    [refused] = [record for page in pages for record in page.records]
    assert refused.fields == {} and "4711" in refused.raw
    pages = list(asked.pages(ENTITY, pages[-1].cursor))
    assert [record for page in pages for record in page.records] == records("usps")
    assert refused.container in pages[-1].withdrawn


def test_a_pass_that_does_not_end_settles_no_answer(server: CarrierServer, tmp_path: Path) -> None:
    asked = source(server, tmp_path, "usps", ["9400100000000000000001"])
    server.faults += [(500, {})] * READ_ATTEMPTS
    withdrawn: list[str] = []
    with pytest.raises(SourceError):
        for page in asked.pages(ENTITY, None):
            withdrawn += page.withdrawn
    assert withdrawn == []
