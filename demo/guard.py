"""What stands before every request: who may ask, how much, and what a browser may do with the answer.

* On loopback the Host header must name this machine, or else a page of any site could reach the server under
  a name of its own (rebinding).
* What changes something, or costs much, is not taken from pages of other sites (`Origin`, `Sec-Fetch-Site`).
* A request's body is counted as it comes in; what is too long is cut off.
* Of Gradio's own addresses only those that the page needs are served: none that takes a path of this machine,
  but for pictures that were just dropped into the page.
"""

from __future__ import annotations

import ipaddress
import os
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lexiscope.demo.problems import problem

__all__ = ["Guard", "is_loopback", "keep_uploads_apart"]

# Nothing is fetched from elsewhere; what Gradio's own page puts in line is let through.
_POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    ]
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "SAMEORIGIN",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_GRADIO = "/gradio_api/"
_GRADIO_SERVED = ("upload_progress", "heartbeat/", "startup-events", "queue/", "info", "app_id")
_GRADIO_REFUSED = (
    "/proxy=",
    "/file=",
    "/file/",
    "/upload",
    "/monitoring",
    "/run/",
    "/api/",
    "/call/",
    "/dev/",
)


def is_loopback(host: str) -> bool:
    """Whether a host to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def keep_uploads_apart() -> Path:
    """Make a folder of this process's own for what Gradio takes in, before Gradio is imported."""
    folder = Path(tempfile.mkdtemp(prefix="lexiscope-page-")).resolve()
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder


class Guard:
    """ASGI middleware; see above.

    Args:
        app: what it stands before.
        loopback: the server listens on loopback only.
        request_bytes: the most that a body may have.
        dropped: where Gradio keeps pictures dropped into the page; None serves no such files.
    """

    def __init__(
        self, app: ASGIApp, *, loopback: bool, request_bytes: int, dropped: Path | None = None
    ) -> None:
        self.app = app
        self.loopback = loopback
        self.request_bytes = request_bytes
        self.dropped = dropped

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or say why not."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # nothing here speaks over websockets
        refused = self._refused(scope["method"], scope["path"], Headers(scope=scope))
        answer = _with_headers(send)
        if refused is not None:
            await problem(*refused)(scope, receive, answer)
            return
        await self.app(scope, self._counted(receive), answer)

    def _refused(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        """Status and reason, where a request is not served."""
        host = headers.get("host", "")
        if self.loopback and not is_loopback(_name(host)):
            return 421, "this server answers to localhost only; open it by that name, or start it with --host"
        if method not in _SAFE and not _from_here(headers, host):
            return 403, "requests from pages of other sites are not served"
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self.request_bytes:
            return 413, self._too_long()
        if not self._served(path):
            return 404, "there is nothing at this address"
        return None

    def _served(self, path: str) -> bool:
        """Whether an address is one of ours, or one of Gradio's that the page needs."""
        if path.startswith(_GRADIO):
            rest = path.removeprefix(_GRADIO)
            if rest.startswith("file="):
                return self._was_dropped(rest.removeprefix("file="))
            return rest == "upload" or rest.startswith(_GRADIO_SERVED)
        return not path.startswith(_GRADIO_REFUSED)

    def _was_dropped(self, path: str) -> bool:
        """Whether a path is that of a file in the folder of dropped pictures, spelt without detours."""
        if self.dropped is None:
            return False
        spelt = unquote(path)
        return os.path.normpath(spelt) == spelt and spelt.startswith(str(self.dropped) + os.sep)

    def _counted(self, receive: Receive) -> Receive:
        """The body of a request, cut off where it is too long."""
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.request_bytes:
                raise HTTPException(413, self._too_long())
            return message

        return counted

    def _too_long(self) -> str:
        return f"a request may have {self.request_bytes >> 20} MB; send less at once, or smaller files"


def _name(host: str) -> str:
    """The host of a `Host` header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _from_here(headers: Headers, host: str) -> bool:
    """Whether a request comes from a page of this server, or from no page at all."""
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return answer
