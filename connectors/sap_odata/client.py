"""The OData V2 interface of an S/4HANA system: queries, tokens, batches. Knows no contracts."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.base import SourceError
from connectors.http import HttpClient
from registry.systems import System

ROOT = "sap/opu/odata/sap"
# /Date(1754611200000)/ of Edm.DateTime, /Date(1754611200000+0120)/ of Edm.DateTimeOffset. The
# number is milliseconds since 1970 in UTC in both; the offset says in which zone it is shown.
_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{1,4})?\)/")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CRLF = "\r\n"


def moment(value: object) -> datetime | None:
    """The time that a ``/Date(...)/`` stands for; None for anything else."""
    matched = _DATE.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=int(matched[1]))
    except OverflowError:
        return None


def text_literal(value: str) -> str:
    """A text in a filter or a key."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def time_literal(field: str, value: datetime) -> str:
    """A time in a filter. SAP names fields of Edm.DateTimeOffset ...DateTime, others ...Date."""
    text = value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    if field.endswith("DateTime"):
        return f"datetimeoffset'{text}Z'"
    return f"datetime'{text}'"


@dataclass(frozen=True)
class Change:
    """One write within a changeset; ``path`` from the service on."""

    method: str
    path: str
    body: Mapping[str, Any]
    etag: str | None = None


class SapClient:
    """Calls of one S/4HANA system. ``http`` is open to source and target."""

    def __init__(self, system: System, environment: Mapping[str, str], **seams: Any) -> None:
        user, password = (system.secret(role, environment) for role in ("user", "password"))
        headers = {}
        if "sap_client" in system.options:
            headers["sap-client"] = str(system.options["sap_client"])
        self.http = HttpClient(system, httpx.BasicAuth(user, password), headers, **seams)
        self._page_size = system.page_size
        self._token: str | None = None

    # ---- reading ---------------------------------------------------------------------------

    def query(self, path: str, **options: str | int | None) -> Iterator[list[dict[str, Any]]]:
        """Entities of a set, page by page as the server cuts them (``__next``).

        ``options``: system query options without their dollar sign.
        """
        params = {f"${name}": value for name, value in options.items() if value is not None}
        answer = self.http.get_json(f"{ROOT}/{path}", {**params, "$format": "json"})
        visited = set()
        while True:
            content = answer.get("d") if isinstance(answer, dict) else None
            yield self.http.rows(content, "results")
            following = content.get("__next") if content else None
            if not following:
                return
            if following in visited:
                raise SourceError(
                    "bad_page",
                    f"{self.http.system.name} links its pages in a circle: reading would never "
                    f"end; tell the owner of the system",
                )
            visited.add(following)
            answer = self.http.get_json(following)

    def sorted_by(
        self,
        path: str,
        keys: Sequence[str],
        first: str | None = None,
        always: str | None = None,
        **options: str | int | None,
    ) -> Iterator[list[dict[str, Any]]]:
        """All entities of a set in the order of ``keys``, of which the last are its own key.

        Each request asks for what lies after the last entity seen, not for a number of entities to
        skip: one that comes, goes or moves to the end while we read shifts no other. ``first`` is a
        filter that holds until one was seen, ``always`` one that holds throughout. Raises
        SourceError ``bad_page`` where a key is empty.
        """
        after = first
        while True:
            condition = f"({always}) and ({after})" if always and after else always or after
            page = [
                entity
                for part in self.query(
                    path,
                    filter=condition,
                    orderby=",".join(keys),
                    top=self._page_size,
                    **options,
                )
                for entity in part
            ]
            yield page
            if len(page) < self._page_size:
                return
            after = self._after(page[-1], keys, path)

    def count(self, path: str) -> int:
        """How many entities a set has now."""
        response = self.http.get(f"{ROOT}/{path}/$count")
        try:
            return int(response.text)
        except ValueError as error:
            raise SourceError(
                "bad_page", f"{self.http.system.name} counts {path} as '{response.text[:40]}'"
            ) from error

    def _after(self, entity: Mapping[str, Any], keys: Sequence[str], path: str) -> str:
        """A filter for all that follows an entity: greater in the first key in which it differs."""
        alternatives = []
        equal = ""
        for name in keys:
            told = entity.get(name)
            at = moment(told)
            if at is None and (not isinstance(told, str) or told.startswith("/Date(")):
                raise SourceError(
                    "bad_page",
                    f"{self.http.system.name} has an entity of {path} without {name}, by which it "
                    f"is read",
                )
            literal = text_literal(str(told)) if at is None else time_literal(name, at)
            alternatives.append(f"({equal}{name} gt {literal})")
            equal += f"{name} eq {literal} and "
        return " or ".join(alternatives)

    # ---- writing ---------------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        etag: str | None = None,
    ) -> httpx.Response:
        """One write; ``path`` from the service on. Raises as HttpClient.send, and SourceError
        when no token can be fetched: nothing was sent then.
        """
        headers = {"If-Match": etag} if etag else {}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        return self._send(method, path, content, headers)

    def send_together(self, service: str, changes: Sequence[Change]) -> httpx.Response:
        """Several writes as one changeset of a ``$batch``: all of them are applied, or none.

        Returns the answer to the first change that failed, else to the last one. Raises as
        ``send``; SourceError ``bad_page`` when the answer does not say what became of them.
        """
        batch, changeset = f"batch_{uuid.uuid4().hex}", f"changeset_{uuid.uuid4().hex}"
        lines = [f"--{batch}", f"Content-Type: multipart/mixed; boundary={changeset}", ""]
        for number, change in enumerate(changes, start=1):
            content = json.dumps(change.body)
            lines += [
                f"--{changeset}",
                "Content-Type: application/http",
                "Content-Transfer-Encoding: binary",
                f"Content-ID: {number}",
                "",
                f"{change.method} {change.path} HTTP/1.1",
                "Content-Type: application/json",
                "Accept: application/json",
                *([f"If-Match: {change.etag}"] if change.etag else []),
                f"Content-Length: {len(content.encode())}",
                "",
                content,
            ]
        lines += [f"--{changeset}--", f"--{batch}--", ""]
        response = self._send(
            "POST",
            f"{service}/$batch",
            _CRLF.join(lines).encode(),
            {"Content-Type": f"multipart/mixed; boundary={batch}"},
        )
        if not response.is_success:
            return response
        answers = _batch_answers(response)
        failed = [answer for answer in answers if not answer.is_success]
        if failed:
            return failed[0]
        if len(answers) != len(changes):
            raise SourceError(
                "bad_page",
                f"{self.http.system.name} answered {len(answers)} of {len(changes)} changes of a "
                f"batch: read the record there to see whether they were applied",
            )
        return answers[-1]

    def _send(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Send under a token. One that has run out is answered with 403 and ``Required`` before
        anything is done, so that the same write may follow under a fresh one.
        """
        response = self._send_once(method, path, content, headers)
        if _wants_token(response):
            self._token = None
            response = self._send_once(method, path, content, headers)
        return response

    def _send_once(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        if self._token is None:
            # The session that the token belongs to is a cookie, which the HTTP client keeps.
            service = path.split("/", 1)[0]
            fetched = self.http.get(f"{ROOT}/{service}/", headers={"X-CSRF-Token": "Fetch"})
            self._token = fetched.headers.get("x-csrf-token", "")
        return self.http.send(
            method,
            f"{ROOT}/{path}",
            headers={**headers, "X-CSRF-Token": self._token},
            content=content,
        )


def _wants_token(response: httpx.Response) -> bool:
    return (
        response.status_code == httpx.codes.FORBIDDEN
        and response.headers.get("x-csrf-token", "").lower() == "required"
    )


_STATUS_LINE = re.compile(rb"^HTTP/1\.[01] (\d{3})[^\r\n]*\r?\n", re.MULTILINE)


def _batch_answers(response: httpx.Response) -> list[httpx.Response]:
    """The answers within a batch's answer, in their order; a failed changeset has only one."""
    starts = list(_STATUS_LINE.finditer(response.content))
    ends = [start.start() for start in starts[1:]] + [len(response.content)]
    answers = []
    for start, end in zip(starts, ends, strict=True):
        head, _, body = response.content[start.end() : end].partition(b"\r\n\r\n")
        headers = [
            (name.strip().decode(), value.strip().decode())
            for name, separator, value in (line.partition(b":") for line in head.splitlines())
            if separator
        ]
        length = next((int(v) for n, v in headers if n.lower() == "content-length"), len(body))
        answers.append(
            httpx.Response(
                int(start[1]),
                headers=[(n, v) for n, v in headers if n.lower() != "content-length"],
                content=body[:length],
            )
        )
    return answers
