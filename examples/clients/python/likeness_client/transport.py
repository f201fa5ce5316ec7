"""How a call becomes a request, and an answer a value or a `Problem`. Opens photographs that are named by a path."""
from __future__ import annotations

import asyncio
import os
import time
from typing import IO, Any, Dict, Iterable, List, Mapping, Optional, Union, cast
from urllib.parse import quote

import httpx

from . import types

STATEMENT = "/api/v1/models/statement"
Photograph = Union[str, "os.PathLike[str]", bytes, IO[bytes]]


class Problem(Exception):
    """An answer that is an error. Programs branch on `code`."""

    def __init__(self, status: int, body: types.ProblemBody) -> None:
        super().__init__(f"{body['error_code']}: {body['message']}")
        self.status = status
        self.code = body["error_code"]
        self.body = body


class ModelMismatch(Exception):
    """The service has other models than the expected ones. Both are SHA-256 by role; no model is `None`."""

    def __init__(self, expected: Mapping[str, str], found: Mapping[str, Optional[str]]) -> None:
        wrong = [f"{role}: expected {expected[role]}, found {found[role] or 'no model'}" for role in found]
        super().__init__("the service has other models: " + "; ".join(wrong))
        self.expected = dict(expected)
        self.found = dict(found)


class _Transport:
    def __init__(self, key: Optional[str], patience: float, expect_models: Optional[Mapping[str, str]]) -> None:
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._patience = patience
        self._expected = {role: sha256.lower() for role, sha256 in (expect_models or {}).items()}
        self._stated = not self._expected

    def _compare(self, found: Mapping[str, str], roles: Iterable[str]) -> None:
        other = {role: found.get(role) for role in roles if found.get(role) != self._expected[role]}
        if other:
            raise ModelMismatch({role: self._expected[role] for role in other}, other)

    def _state(self, statement: Any) -> None:
        """Compares what the service verified."""
        found = {one["annotations"]["role"]: one["digest"]["sha256"] for one in statement["subject"]}
        self._compare(found, self._expected)
        self._stated = True

    def _named(self, answer: Any) -> Any:
        """Compares the models that an answer names: another process than the first may give it."""
        model = answer.get("model") if self._expected and isinstance(answer, dict) else None
        if isinstance(model, dict) and "sha256" in model:
            self._compare(model["sha256"], self._expected)
        return answer

    @staticmethod
    def part(value: str) -> str:
        """A part of a path."""
        return quote(value, safe="")

    def _request(self, http: Any, method: str, path: str, query: Any, header: Any, form: Any, file: Any) -> httpx.Request:
        files = [(name, _opened(one)) for name, found in (file or {}).items() for one in _each(found)]
        # A word is a part without a file's name.
        files += [(name, (None, _word(value))) for name, value in (form or {}).items() if value is not None]
        headers = {name: value for name, value in (header or {}).items() if value is not None}
        params = {name: _word(value) for name, value in (query or {}).items() if value is not None}
        # Relative, so that the service may lie behind a prefix.
        request = http.build_request(method, path.lstrip("/"), params=params, headers=headers, files=files or None)
        return cast(httpx.Request, request)

    def _wait(self, answer: httpx.Response, until: float) -> Optional[float]:
        """Seconds after which the request is sent again, if it is."""
        after = answer.headers.get("retry-after", "")
        if answer.status_code != 503 or not after.isdigit() or time.monotonic() + int(after) > until:
            return None
        return float(after)


def _each(found: Any) -> List[Any]:
    if found is None:
        return []
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _opened(photograph: Photograph) -> Any:
    if isinstance(photograph, (str, os.PathLike)):
        with open(photograph, "rb") as file:
            return ("photograph", file.read())
    # Read whole, so that the request can be sent again.
    return ("photograph", photograph if isinstance(photograph, bytes) else photograph.read())


def _answered(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        body = answer.json()
        code = body["error_code"]
    except (ValueError, KeyError, TypeError):
        code, body = "UNKNOWN", {}
    # A proxy's answer has another shape.
    complete: Dict[str, Any] = {"error_code": code, "message": answer.reason_phrase, "request_id": "", **body}
    raise Problem(answer.status_code, cast(types.ProblemBody, complete))


class Transport(_Transport):
    """Requests, one after the other."""

    def __init__(
        self,
        url: str,
        *,
        key: Optional[str] = None,
        patience: float = 10.0,
        http: Optional[httpx.Client] = None,
        expect_models: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(key, patience, expect_models)
        self.http = http or httpx.Client(timeout=60.0)
        self.http.base_url = httpx.URL(url.rstrip("/") + "/")
        self.http.headers.update(self._headers)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self.http.close()

    def _sent(self, method: str, path: str, query: Any, header: Any, form: Any, file: Any) -> httpx.Response:
        request = self._request(self.http, method, path, query, header, form, file)
        until = time.monotonic() + self._patience
        while True:
            answer = self.http.send(request)
            wait = self._wait(answer, until)
            if wait is None:
                return _answered(answer)
            time.sleep(wait)

    def json(self, method: str, path: str, query: Any = None, header: Any = None, form: Any = None, file: Any = None) -> Any:
        """A call that is answered in JSON."""
        if not self._stated:
            self._state(self._sent("GET", STATEMENT, None, None, None, None).json())
        return self._named(self._sent(method, path, query, header, form, file).json())

    def text(self, method: str, path: str, query: Any = None, header: Any = None, form: Any = None, file: Any = None) -> str:
        """A call that is answered in words."""
        return self._sent(method, path, query, header, form, file).text


class AsyncTransport(_Transport):
    """Requests, without waiting."""

    def __init__(
        self,
        url: str,
        *,
        key: Optional[str] = None,
        patience: float = 10.0,
        http: Optional[httpx.AsyncClient] = None,
        expect_models: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(key, patience, expect_models)
        self.http = http or httpx.AsyncClient(timeout=60.0)
        self.http.base_url = httpx.URL(url.rstrip("/") + "/")
        self.http.headers.update(self._headers)

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self.http.aclose()

    async def _sent(self, method: str, path: str, query: Any, header: Any, form: Any, file: Any) -> httpx.Response:
        request = self._request(self.http, method, path, query, header, form, file)
        until = time.monotonic() + self._patience
        while True:
            answer = await self.http.send(request)
            wait = self._wait(answer, until)
            if wait is None:
                return _answered(answer)
            await asyncio.sleep(wait)

    async def json(
        self, method: str, path: str, query: Any = None, header: Any = None, form: Any = None, file: Any = None
    ) -> Any:
        """A call that is answered in JSON."""
        if not self._stated:
            self._state((await self._sent("GET", STATEMENT, None, None, None, None)).json())
        return self._named((await self._sent(method, path, query, header, form, file)).json())

    async def text(
        self, method: str, path: str, query: Any = None, header: Any = None, form: Any = None, file: Any = None
    ) -> str:
        """A call that is answered in words."""
        return (await self._sent(method, path, query, header, form, file)).text
