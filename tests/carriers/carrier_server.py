"""A small server that speaks as the carriers' tracking interfaces do, with faults on demand.

It holds sample payloads by tracking number and serves each carrier's documented path: how numbers
are sent, how pages go on, which credentials it wants and what it says of a number nobody knows.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from carrier_payloads import payload

Answer = tuple[int, Any]
TOKEN = "token-1"


class CarrierServer:
    """Answers on a free port. ``faults`` are served first, one a request to a tracking path.

    ``routes``: who answers about a path, instead of the sample payloads.
    """

    def __init__(self, routes: Mapping[str, Callable[..., Answer]] | None = None) -> None:
        self._routes = _ROUTES if routes is None else routes
        self.requests: list[tuple[str, str, dict[str, list[str]], Any]] = []
        self.faults: list[tuple[int, dict[str, str]]] = []
        self.gives_tokens = True
        self.token_requests: list[tuple[str | None, dict[str, list[str]]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self) -> CarrierServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def _answer(self, body: bytes | None) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                extra: dict[str, str] = {}
                if "token" in parts.path and server.gives_tokens:
                    form = parse_qs((body or b"").decode())
                    server.token_requests.append((self.headers["Authorization"], form))
                    status, content = _token(self.headers["Authorization"], form)
                elif "token" in parts.path:
                    status, content = 404, {"errors": [{"message": "no such path"}]}
                elif server.faults:
                    status, extra = server.faults.pop(0)
                    content = {"errors": [{"message": "made for the test"}]}
                else:
                    question = json.loads(body) if body else None
                    server.requests.append((self.command, parts.path, query, question))
                    status, content = _route(server._routes, parts.path)(
                        self.headers, parts.path, query, question
                    )
                text = json.dumps(content).encode()
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        return Handler


def _token(header: str | None, form: dict[str, list[str]]) -> Answer:
    basic = "Basic " + base64.b64encode(b"me:secret").decode()
    in_form = (form.get("client_id"), form.get("client_secret")) == (["me"], ["secret"])
    if header == basic or in_form:
        return 200, {"access_token": TOKEN, "expires_in": 3600}
    return 401, {"errors": [{"message": "bad client"}]}


def _route(routes: Mapping[str, Callable[..., Answer]], path: str) -> Callable[..., Answer]:
    for beginning, route in routes.items():
        if path == beginning or (beginning.endswith("/") and path.startswith(beginning)):
            return route
    return lambda *_: (404, {"errors": [{"message": "no such path"}]})


def _fedex(headers: Any, path: str, query: Any, question: Any) -> Answer:
    if headers["Authorization"] != f"Bearer {TOKEN}":
        return 401, {}
    assert question["includeDetailedScans"] is True
    wanted = [entry["trackingNumberInfo"]["trackingNumber"] for entry in question["trackingInfo"]]
    assert len(wanted) <= 30
    content = payload("fedex")
    known = {r["trackingNumber"]: r for r in content["output"]["completeTrackResults"]}
    content["output"]["completeTrackResults"] = [known[n] for n in wanted if n in known]
    return 200, content


def _one(name: str, number_path: str) -> Callable[..., Answer]:
    def route(headers: Any, path: str, query: Any, question: Any) -> Answer:
        if headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {}
        if unquote(path.rpartition("/")[2]) != number_path:
            return 404, {"response": {"errors": [{"code": "TW0001", "message": "Not Found"}]}}
        return 200, payload(name)

    return route


def _dhl_express(headers: Any, path: str, query: Any, question: Any) -> Answer:
    if headers["Authorization"] != "Basic " + base64.b64encode(b"me:secret").decode():
        return 401, {}
    assert query["trackingView"] == ["all-checkpoints"]
    if "7740842550" not in query["shipmentTrackingNumber"]:
        return 404, {"title": "No result found", "detail": "No data found"}
    return 200, payload("dhl_express")


def _dhl_unified(headers: Any, path: str, query: Any, question: Any) -> Answer:
    if headers["DHL-API-Key"] != "secret":
        return 401, {"title": "Unauthorized", "status": 401}
    if query["trackingNumber"] != ["00340434292135100124"]:
        return 404, {"title": "No result found", "status": 404}
    return 200, payload("dhl_unified")


def _easypost(headers: Any, path: str, query: Any, question: Any) -> Answer:
    """Three trackers of one number, a page each, newest first: a code may be used again."""
    if headers["Authorization"] != "Basic " + base64.b64encode(b"me:").decode():
        return 401, {"error": {"message": "no key"}}
    tracker = payload("easypost")["result"]
    if query["tracking_code"] != [tracker["tracking_code"]]:
        return 200, {"trackers": [], "has_more": False}
    ids = ["trk_3", "trk_2", "trk_1"]
    before = query.get("before_id", [None])[0]
    position = ids.index(before) + 1 if before else 0
    return 200, {
        "trackers": [tracker | {"id": ids[position]}],
        "has_more": position + 1 < len(ids),
    }


def _aftership(headers: Any, path: str, query: Any, question: Any) -> Answer:
    if headers["as-api-key"] != "secret":
        return 401, {"meta": {"code": 401}}
    tracking = payload("aftership")["msg"]
    found = [tracking] if tracking["tracking_number"] in query["tracking_numbers"][0] else []
    more = "cursor" not in query
    return 200, {
        "meta": {"code": 200},
        "data": {
            "pagination": {"has_next_page": more, "next_cursor": "page-2" if more else None},
            "trackings": [] if more else found,
        },
    }


_ROUTES: dict[str, Callable[..., Answer]] = {
    "/track/v1/trackingnumbers": _fedex,
    "/api/track/v1/details/": _one("ups", "1Z999AA10123456784"),
    "/tracking/v3/tracking/": _one("usps", "9400100000000000000001"),
    "/tracking": _dhl_express,
    "/track/shipments": _dhl_unified,
    "/v2/trackers": _easypost,
    "/trackings": _aftership,
}
