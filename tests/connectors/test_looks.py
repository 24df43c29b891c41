"""One look: an equal question is asked once, a different one and a later one anew."""

from __future__ import annotations

import httpx
import pytest

from connectors.base import SourceError
from connectors.http import HttpClient
from connectors.looks import one_look
from registry.systems import System


class Asked:
    """Clients of named systems at one address, and what they asked."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.status = 200

    def client(self, name: str) -> HttpClient:
        system = System(
            name=name, role="erp", connector="demo_erp", base_url="http://erp.example/base"
        )
        transport = httpx.MockTransport(self._answer)
        return HttpClient(system, transport=transport, sleep=lambda _seconds: None)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.questions.append(str(request.url.copy_with(scheme="http")).rpartition("/base/")[2])
        return httpx.Response(self.status, json={"n": len(self.questions)})


def test_inside_a_look_an_equal_question_is_asked_once() -> None:
    asked = Asked()
    target, source = asked.client("erp"), asked.client("erp")
    with one_look():
        assert target.get_json("orders", {"no": "1"}) == source.get_json("orders", {"no": "1"})
        source.get_json("orders", {"no": "2"})
        asked.client("erp_eu").get_json("orders", {"no": "1"})
    assert asked.questions == ["orders?no=1", "orders?no=2", "orders?no=1"]


def test_the_read_before_the_write_and_the_next_look_ask_anew() -> None:
    asked = Asked()
    client = asked.client("erp")
    with one_look():
        client.get_json("orders")
    client.get_json("orders")
    with one_look():
        client.get_json("orders")
    assert len(asked.questions) == 3


def test_a_failure_is_not_remembered() -> None:
    asked = Asked()
    client = asked.client("erp")
    asked.status = 422
    with one_look():
        with pytest.raises(SourceError, match="422"):
            client.get_json("orders")
        asked.status = 200
        assert client.get_json("orders") == {"n": 2}
