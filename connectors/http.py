"""One HTTP client for all connectors: auth, rate limit, retried reads, errors that say what to do.

Reads are retried here when the trouble is technical. Writes never are: whether to send again is the
decision of the correction engine, which knows the key and can read the target first.
"""

from __future__ import annotations

import base64
import json
import math
import threading
import time
import urllib.request
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import httpx

from connectors.allowances import allowance_of
from connectors.base import ODD_ENCODING, SourceError
from connectors.deadlines import TooLateError, leave
from connectors.in_process import hosted
from connectors.looks import seen
from connectors.wire import AT_MOST, DrippingError, KeptConnections
from registry.errors import ConfigurationError
from registry.systems import System

READ_ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 20.0
LONGEST_WISH_SECONDS = 30 * 86_400.0
CONNECT_TIMEOUT_SECONDS = 5.0
ANSWER_TIMEOUT_SECONDS = 30.0
# Shorter than the time after which servers drop an idle connection: a request sent into one that is
# just being closed gets no answer, and for a write that is an unknown outcome.
KEEP_IDLE_SECONDS = 2.0
# The code of a write that was kept back on its last step.
TOO_LATE = "too_late"
_SAID_ALWAYS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "tallyman",
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class NotSentError(SourceError):
    """The request certainly never reached the system: no connection could be made."""


class NoAnswerError(SourceError):
    """The request may have reached the system, but no answer came back: the effect is unknown."""


class TransientError(SourceError):
    """A read that may succeed when it is repeated."""

    def __init__(self, kind: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(kind, message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class ClockOffset:
    """How far the source's clock is ahead of ours, and how sure that is (plus or minus)."""

    seconds: float
    uncertainty_seconds: float


class ClockMeter:
    """Measures the source's clock from ``Date`` headers.

    A header holds whole seconds, and the answer was written at some moment between sending and
    receiving: each response leaves an interval for the offset, and the offset lies in all of them.
    """

    def __init__(self) -> None:
        self._low = -math.inf
        self._high = math.inf
        self._lock = threading.Lock()

    def observe(self, sent: datetime, received: datetime, date_header: str | None) -> None:
        """Add one response; one without a usable header adds nothing."""
        told = http_date(date_header)
        if told is None:
            return
        low = (told - received).total_seconds()
        high = (told - sent).total_seconds() + 1.0
        with self._lock:
            if low > self._high or high < self._low:
                # One of the clocks was set: what was measured before no longer holds.
                self._low, self._high = low, high
            else:
                self._low, self._high = max(low, self._low), min(high, self._high)

    def offset(self) -> ClockOffset | None:
        """The offset; None before the first response. One within its uncertainty counts as 0."""
        with self._lock:
            if math.isinf(self._low):
                return None
            middle, half = (self._low + self._high) / 2, (self._high - self._low) / 2
        return ClockOffset(0.0 if abs(middle) <= half else middle, half)


class BearerAuth(httpx.Auth):
    """A fixed token in the Authorization header."""

    def __init__(self, token: str) -> None:
        self._value = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._value
        yield request


class HeaderAuth(httpx.Auth):
    """A key in a header of the vendor's choice."""

    def __init__(self, header: str, key: str) -> None:
        self._header, self._key = header, key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[self._header] = self._key
        yield request


class ClientCredentialsAuth(httpx.Auth):
    """OAuth 2 client credentials: fetches a token, keeps it until shortly before its end.

    ``in_body``: the issuer takes the credentials in the form only, not as Basic authentication.
    """

    requires_response_body = True

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        monotonic: Callable[[], float] = time.monotonic,
        in_body: bool = False,
    ) -> None:
        self._token_url = token_url
        pair = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._headers = {} if in_body else {"Authorization": f"Basic {pair}"}
        self._form = {"grant_type": "client_credentials"}
        if in_body:
            self._form |= {"client_id": client_id, "client_secret": client_secret}
        self._monotonic = monotonic
        self._token: str | None = None
        self._good_until = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._token is None or self._monotonic() >= self._good_until:
            yield from self._fetch()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            # The issuer may withdraw a token before its end: once more with a fresh one.
            yield from self._fetch()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _fetch(self) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield httpx.Request(
            "POST",
            self._token_url,
            headers=self._headers,
            data=self._form,
        )
        try:
            answer = response.json() if response.is_success else {}
            token, seconds = answer["access_token"], float(answer.get("expires_in", 60))
        except (ValueError, KeyError, TypeError):
            raise TokenRefusedError(response) from None
        if not isinstance(token, str):
            raise TokenRefusedError(response)
        self._token = token
        self._good_until = self._monotonic() + 0.9 * seconds


class TokenRefusedError(Exception):
    """For an ``httpx.Auth``: the call that was to log us in got this answer. HttpClient judges it
    as if the request itself had got it; but a success is none without a token, and a 404 says
    nothing of what we ask for."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(f"no token: {response.status_code}")
        self.response = response


class HttpClient:
    """Speaks HTTP with one system instance.

    ``transport``, ``now`` and ``sleep`` are seams for tests; a host of ``connectors.in_process`` is
    asked without a connection. Paths are relative to the system's
    ``base_url``; a full URL is taken only when it leads to the same host, so that a link in an
    answer can't carry our credentials elsewhere.
    """

    def __init__(
        self,
        system: System,
        auth: httpx.Auth | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        now: Callable[[], datetime] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.system = system
        self.clock = ClockMeter()
        # What was odd about the answers since they were last taken (connectors.reading).
        self.notices: set[str] = set()
        self.allowance = allowance_of(system)
        self._root = system.base_url.rstrip("/") + "/"
        try:
            self._base = httpx.URL(self._root)
        except httpx.InvalidURL as error:
            raise ConfigurationError(
                f"system '{system.name}': base_url {system.base_url!r} is no address ({error}); "
                "it looks like https://erp.example:8443/api"
            ) from error
        self._sleep = sleep
        here = hosted(self._base.host)
        self.now = now or (here.now if here else _utc_now)
        answer_timeout = system.number("timeout_seconds", ANSWER_TIMEOUT_SECONDS)
        self._extensions = {
            "timeout": httpx.Timeout(answer_timeout, connect=CONNECT_TIMEOUT_SECONDS).as_dict(),
            "trace": _trace,
        }
        self._auth = auth
        self._headers = httpx.Headers({**_SAID_ALWAYS, **(headers or {})})
        self._cookies = httpx.Cookies()
        self._transport = transport or (here.transport if here else _transport(self._base))

    def close(self) -> None:
        self._transport.close()

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Read, repeating what failed for technical reasons. Raises SourceError.

        Kinds: unreachable, timeout, unauthorised, forbidden, not_found, rate_limited, server_error,
        redirected, refused, bad_page.
        """
        known = seen()
        if known is None or headers:
            return self._read(path, params, None, headers)
        question = (self._root, self.system.name, path, tuple(sorted((params or {}).items())))
        if question not in known:
            known[question] = self._read(path, params, None, headers)
        answer: httpx.Response = known[question]
        return answer

    def query(self, path: str, body: Any) -> Any:
        """The JSON of a read that takes its question in the body of a POST.

        Repeated like ``get``: only for what changes nothing in the system.
        """
        return self.parse(self._read(path, None, body, None))

    def get_json(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON of an answer; ``bad_page`` when it is cut or no JSON."""
        return self.parse(self.get(path, params))

    def parse(self, response: httpx.Response) -> Any:
        """The JSON of a response that ``get`` returned; raises SourceError ``bad_page``."""
        encoding = json.detect_encoding(response.content)
        if encoding != "utf-8":
            self.notices.add(
                f"{ODD_ENCODING}: {response.request.url.path} comes as {encoding}, where JSON is "
                "UTF-8 without a mark"
            )
        try:
            return json.loads(response.content)
        except ValueError as error:
            raise SourceError(
                "bad_page",
                f"{self.system.name} answered {response.request.url} with a page that is cut or "
                f"not JSON ({error}; {len(response.content):,} bytes): nothing of it was used and "
                f"the next pass reads it again; if it stays so, tell the owner of the system",
            ) from error

    def rows(self, page: Any, key: str) -> list[Any]:
        """The list under a key of a page; raises SourceError ``bad_page`` when there is none."""
        found = page.get(key) if isinstance(page, dict) else None
        if not isinstance(found, list):
            raise SourceError(
                "bad_page",
                f"{self.system.name} answered with a page without a list '{key}': the connector "
                f"and the system disagree on its interface",
            )
        return found

    def send(
        self,
        method: str,
        path: str,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send a write exactly once and return whatever was answered, of any status.

        The body is ``json`` or, for what is no JSON, ``content`` as it stands.

        Raises NotSentError when the system was certainly not reached (safe to send again later) and
        NoAnswerError when it may have been (the effect is unknown).
        """
        url = self._url(path)
        self._wait_for_turn()
        request = self._request(method, url, headers, json=json, content=content)
        try:
            # Here for a transport that does not look itself, right before the first byte.
            leave()
            return self._exchange(request)
        except TooLateError as error:
            raise NotSentError(TOO_LATE, f"{self.system.name}: {error}") from None
        except _NEVER_SENT as error:
            raise NotSentError("unreachable", self._unreachable(request, error)) from error
        except TokenRefusedError as error:
            # The write waits for a token that never came, so it was not sent.
            failure = self._no_token(error.response)
            raise NotSentError(failure.kind, str(failure)) from None
        except SourceError as error:
            # Of the authentication, which comes before the write, too.
            raise NotSentError(error.kind, str(error)) from error
        except httpx.RequestError as error:
            raise NoAnswerError(
                "no_answer",
                f"{self.system.name} gave no answer to {method} {url} "
                f"({type(error).__name__}): read the record there to see whether it was applied",
            ) from error

    def _read(
        self,
        path: str,
        params: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        attempt = 1
        while True:
            try:
                return self._read_once(path, params, body, headers)
            except TransientError as error:
                # Who wants to be left alone for longer than we wait here is: another time.
                if attempt == READ_ATTEMPTS or (error.retry_after or 0) > LONGEST_WAIT_SECONDS:
                    raise
                self._sleep(_wait(attempt, error.retry_after))
            attempt += 1

    def _read_once(
        self,
        path: str,
        params: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        self._wait_for_turn()
        cleaned = {name: value for name, value in (params or {}).items() if value is not None}
        # httpx would replace the query of a link by an empty one.
        request = self._request(
            "GET" if body is None else "POST",
            self._url(path),
            headers,
            params=cleaned or None,
            json=body,
        )
        try:
            response = self._exchange(request)
        except TokenRefusedError as error:
            raise self._no_token(error.response) from None
        except DrippingError as error:
            # Not to be repeated: it took long enough.
            raise SourceError(
                "timeout",
                f"{self.system.name} began to answer {request.url.copy_with(query=None)}, and its "
                f"answer was {error}: nothing of it was used; a smaller page_size makes it "
                f"shorter, options.timeout_seconds lets it take {AT_MOST} times as long",
            ) from error
        except httpx.TimeoutException as error:
            kind = "unreachable" if isinstance(error, httpx.ConnectTimeout) else "timeout"
            raise TransientError(kind, self._unreachable(request, error)) from error
        except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
            raise TransientError(
                "bad_page",
                f"{self.system.name} broke off its answer to {request.url} ({error}): nothing of "
                f"it was used and the next pass reads it again",
            ) from error
        except httpx.RequestError as error:
            raise TransientError("unreachable", self._unreachable(request, error)) from error
        if response.is_success:
            return response
        raise self._failure(response)

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        sent = self.now()
        if self._auth is None:
            response = self._ask(request)
        else:
            flow = self._auth.sync_auth_flow(request)
            try:
                response = self._ask(next(flow))
                while True:
                    response = self._ask(flow.send(response))
            except StopIteration:
                pass
        # With a token fetched on the way the interval would start too early; it stays true, only
        # wider, and the next response narrows it.
        self.clock.observe(sent, self.now(), response.headers.get("Date"))
        return response

    def _request(
        self, method: str, url: httpx.URL, headers: Mapping[str, str] | None, **content: Any
    ) -> httpx.Request:
        said = self._headers
        if headers:
            said = said.copy()
            said.update(headers)
        return httpx.Request(method, url, headers=said, extensions=self._extensions, **content)

    def _wait_for_turn(self) -> None:
        wait = self.allowance.take()
        if wait:
            self._sleep(wait)

    def _ask(self, request: httpx.Request) -> httpx.Response:
        """One request and its whole answer. A redirection is an answer like others."""
        if self._cookies:
            self._cookies.set_cookie_header(request)
        # What an authentication asks by itself waits no longer than ours.
        request.extensions.setdefault("timeout", self._extensions["timeout"])
        response = self._transport.handle_request(request)
        response.request = request
        response.read()
        if "set-cookie" in response.headers:
            self._cookies.extract_cookies(response)
        return response

    def _url(self, path: str) -> httpx.URL:
        base = self._base
        if not path.startswith("http"):
            # Joined as text, since the base ends with a slash: it is done for each request.
            return httpx.URL(f"{self._root}{path.lstrip('/')}")
        url = base.join(path)
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            raise SourceError(
                "bad_page",
                f"{self.system.name} links to another host ({url.host}): not followed, because our "
                f"credentials would go there; check base_url",
            )
        return url

    def _unreachable(self, request: httpx.Request, error: Exception) -> str:
        if isinstance(error, httpx.TimeoutException):
            trouble = f"gave no answer in time ({type(error).__name__})"
        else:
            trouble = f"can't be reached ({error})"
        return (
            f"{self.system.name} {trouble} at {request.url.copy_with(query=None)}: check that it "
            f"runs and that base_url '{self.system.base_url}' is right"
        )

    @property
    def _variables(self) -> str:
        return ", ".join(sorted(self.system.secrets.values())) or "none are configured"

    def _no_token(self, response: httpx.Response) -> SourceError:
        """Of the call that was to log us in. Who takes ``not_found`` for the absence of what was
        asked for must not get it of a wrong address: a carrier would have lost all its packages."""
        status = response.status_code
        if not response.is_success and status != httpx.codes.NOT_FOUND:
            return self._failure(response)
        # Its words are not repeated: they may hold a token under another name.
        return SourceError(
            "unauthorised",
            f"{self.system.name} gave no token (its answer of {status} at {response.request.url} "
            f"has no good access_token): check that base_url leads to its interface, and the "
            f"environment variables {self._variables}",
        )

    def _failure(self, response: httpx.Response) -> SourceError:
        name, url = self.system.name, response.request.url
        status = response.status_code
        said = problem_text(response)
        said = f" and said: {said}" if said else ""
        if status == httpx.codes.UNAUTHORIZED:
            return SourceError(
                "unauthorised",
                f"{name} does not accept our credentials (401 at {url}){said}: check the "
                f"environment variables {self._variables}",
            )
        if status == httpx.codes.FORBIDDEN:
            return SourceError(
                "forbidden",
                f"{name} knows us but forbids this (403 at {url}){said}: ask its owner for the "
                f"right to read it",
            )
        if status == httpx.codes.NOT_FOUND:
            return SourceError(
                "not_found",
                f"{name} has nothing at {url} (404){said}: check base_url and the entity",
            )
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return TransientError(
                "rate_limited",
                f"{name} wants fewer requests (429 at {url}){said}: lower its requests_per_second "
                f"({self.system.requests_per_second:g} now)",
                retry_after_seconds(response, self.now()),
            )
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return TransientError(
                "server_error",
                f"{name} failed ({status} at {url}){said}: the next pass tries again; if it stays "
                f"so, tell the owner of the system",
                retry_after_seconds(response, self.now()),
            )
        if response.is_redirect:
            return SourceError(
                "redirected",
                f"{name} sends us elsewhere ({status} at {url}, to "
                f"{response.headers.get('Location')}): put the new address in base_url",
            )
        return SourceError(
            "refused",
            f"{name} refused the request ({status} at {url}){said}: the connector and the system "
            f"disagree on its interface",
        )


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _transport(base: httpx.URL) -> httpx.BaseTransport:
    """How a system is reached: directly, or through the proxy that the environment names. A proxy
    for the outside world must not be asked for this machine's own addresses."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(base.scheme) or proxies.get("all")
    if proxy is None or base.host in _LOOPBACK or urllib.request.proxy_bypass(base.host):
        return KeptConnections(KEEP_IDLE_SECONDS)
    return httpx.HTTPTransport(proxy=proxy, limits=httpx.Limits(keepalive_expiry=KEEP_IDLE_SECONDS))


def _trace(event: str, _info: Mapping[str, Any]) -> None:
    """What httpx's own transport calls at each step, also right before it sends."""
    if event.endswith(("send_request_headers.started", "send_request_body.started")):
        leave()


def _wait(attempt: int, wish: float | None) -> float:
    """Seconds after a failed read: the source's own wish if it has one, else twice as long each
    time; no jitter, because there is one reader."""
    own = FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1)
    return min(own if wish is None else wish, LONGEST_WAIT_SECONDS)


@lru_cache(maxsize=64)
def http_date(text: str | None) -> datetime | None:
    """The time of an HTTP date as an aware time; None when there is none, or it is none."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def retry_after_seconds(response: httpx.Response, now: datetime) -> float | None:
    """Seconds of a Retry-After header (a number or a date), or of the member ``retry_after`` of a
    problem document; None when absent or unreadable. At most LONGEST_WISH_SECONDS."""
    text = response.headers.get("Retry-After")
    return _retry_after_of_problem(response, now) if text is None else _wish(text, now)


def _retry_after_of_problem(response: httpx.Response, now: datetime) -> float | None:
    """Seconds that the body asks for: an extension member of RFC 9457, by vendors' names for it."""
    try:
        problem = json.loads(response.content)
    except ValueError:
        return None
    if not isinstance(problem, dict):
        return None
    for name in ("retry_after", "retryAfter", "retry-after"):
        value = problem.get(name)
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return _wish(value, now) or None
    return None


def _wish(told: float | str, now: datetime) -> float | None:
    """Seconds from now, of a number of them or of a date."""
    try:
        seconds = float(told)
    except ValueError:
        moment = http_date(str(told))
        if moment is None:
            return None
        seconds = (moment - now).total_seconds()
    except OverflowError:
        return None
    # Numbers can be too large for a time, and texts can say "inf".
    return min(max(0.0, seconds), LONGEST_WISH_SECONDS) if math.isfinite(seconds) else None


def problem_text(response: httpx.Response) -> str:
    """Title and detail of a problem+json answer (RFC 9457), code and message of an OData error,
    else the first words of the text."""
    first_words = " ".join(response.text.split())[:200]
    try:
        problem = json.loads(response.content)
    except ValueError:
        return first_words
    if not isinstance(problem, dict) or not problem:
        return ""
    error = problem.get("error")
    if isinstance(error, dict):
        message = error.get("message")
        told = message.get("value") if isinstance(message, dict) else message
        return ": ".join(str(part) for part in (error.get("code"), told) if part)
    parts = (problem.get("title"), problem.get("detail"))
    return ": ".join(str(part) for part in parts if part) or first_words
