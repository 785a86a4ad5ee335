"""What went wrong, as JSON of one shape: `{"error": a short name, "detail": what, where and what to do}`."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from lexiscope.errors import (
    IndexFolderError,
    IndexLocked,
    InvalidValue,
    LexiscopeError,
    UnknownDocument,
    UnreadableSource,
)

__all__ = [
    "RESPONSES",
    "Problem",
    "Refusal",
    "install",
    "problem",
    "refuse_other_methods",
    "validation_detail",
]

log = logging.getLogger(__name__)


class Problem(BaseModel):
    """Why a request was not served."""

    error: str = Field(description="A short name of what is wrong.", examples=["not_found"])
    detail: str = Field(description="One line for people: what, where, what to do.")


NAMES = {
    400: "bad_request",
    401: "token_needed",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    421: "misdirected",
    422: "invalid",
    500: "internal",
    503: "unavailable",
    504: "timeout",
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": name.replace("_", " ").capitalize() + "."}
    for status, name in NAMES.items()
    if status in {400, 401, 403, 404, 413, 415, 421, 422, 503, 504}
}

# The first that fits counts.
_STATUSES: tuple[tuple[type[LexiscopeError], int], ...] = (
    (UnknownDocument, 404),
    (InvalidValue, 422),
    (UnreadableSource, 422),
    (IndexLocked, 503),
    (IndexFolderError, 503),
    (LexiscopeError, 503),  # a model or vocabulary that does not fit: nothing a request can mend
)


class Refusal(Exception):
    """A request that is not served, with its status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer to a request that is not served."""
    more = dict(headers or {})
    if status == 401:
        more["WWW-Authenticate"] = "Bearer"
    if status == 503:
        more["Retry-After"] = "1"
    return JSONResponse({"error": NAMES.get(status, "error"), "detail": detail}, status, more)


def validation_detail(errors: list[Any]) -> str:
    """One line for what does not fit the description of a request: `k: should be at least 1; …`."""
    lines = []
    for error in errors[:5]:
        where = ".".join(str(part) for part in error.get("loc", ()) if part != "body")
        what = str(error.get("msg", "is not valid"))
        lines.append(f"{where}: {what}" if where else what)
    more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
    return "; ".join(lines)[:600].encode("utf-8", "replace").decode() + more


def install(app: FastAPI) -> None:
    """Answer every error of an application in the one shape."""

    @app.exception_handler(LexiscopeError)
    async def ours(_: Request, error: LexiscopeError) -> JSONResponse:
        return problem(status_of(error), str(error))

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> JSONResponse:
        return problem(error.status, error.detail)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, validation_detail(list(error.errors())))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, "the server made a mistake with this request; its log says which. It goes on.")


def status_of(error: LexiscopeError) -> int:
    """The HTTP status that an error of ours becomes."""
    return next(status for kind, status in _STATUSES if isinstance(error, kind))


def refuse_other_methods(app: FastAPI, routes: Iterable[BaseRoute]) -> None:
    """Answer 405 to the methods that an address has not, naming those that it has.

    Each address gets a last route that takes every method: without it what is mounted at `/` would answer a
    wrong method before Starlette's router does, and of several routes of one address only the first be named.
    """
    methods: dict[str, set[str]] = {}
    for route in routes:
        path, known = getattr(route, "path", None), getattr(route, "methods", None)
        if path and known:
            methods.setdefault(path, set()).update(known)
    for path, known in methods.items():
        app.router.routes.append(Route(path, _OtherMethods(path, known), include_in_schema=False))


class _OtherMethods:
    """ASGI application that says which methods an address has."""

    def __init__(self, path: str, known: set[str]) -> None:
        self.path = path
        self.known = ", ".join(sorted(known))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # what the metrics count by
        detail = f"{scope['method'][:20]} is no method of this address; it has {self.known}"
        await problem(405, detail, {"Allow": self.known})(scope, receive, send)
