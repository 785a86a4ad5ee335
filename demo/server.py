"""The application — API, page and what stands before them — and how it is served."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import threading
from contextlib import suppress
from pathlib import Path

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from lexiscope import __version__
from lexiscope.demo import problems
from lexiscope.demo.files import Thumbnails
from lexiscope.demo.guard import Guard, is_loopback, keep_uploads_apart
from lexiscope.demo.limits import Limits
from lexiscope.demo.metrics import Metrics, Timed
from lexiscope.demo.routes import Place, router
from lexiscope.demo.service import Service
from lexiscope.demo.turns import Turns
from lexiscope.demo.uploads import Uploads
from lexiscope.errors import LexiscopeError

__all__ = ["make_app", "serve"]


def make_app(
    service: Service,
    *,
    loopback: bool = True,
    token: str | None = None,
    limits: Limits | None = None,
    page: bool = True,
) -> FastAPI:
    """Make the application.

    Args:
        service: the index.
        loopback: only names of this machine are answered to.
        token: needed to add and delete; None asks for none.
        limits: of requests.
        page: with the page, not the API alone.
    """
    limits = limits or Limits()
    app = FastAPIOffline(title="lexiscope", version=__version__, redoc_url=None)
    metrics = Metrics()
    app.state.place = Place(
        service,
        Uploads(service.folder),
        Thumbnails(limits.thumbnails_bytes),
        metrics,
        Turns(limits.seconds, limits.waiting),
        Turns(limits.seconds_to_add, limits.waiting, 1),
        limits,
        token,
    )
    problems.install(app)
    app.include_router(router)
    problems.refuse_other_methods(app, [*app.routes, *router.routes])
    dropped = None
    if page:
        dropped = keep_uploads_apart()
        from lexiscope.demo.page import mount

        static = Path(__file__).parent / "static"
        # An editable installation is made of links.
        app.mount("/page", StaticFiles(directory=static, follow_symlink=True), name="page")
        app = mount(app, limits.request_bytes)
        for route in app.routes:  # Gradio's own application answers what no address of ours fits
            if isinstance(route, Mount) and isinstance(route.app, FastAPI):
                problems.install(route.app)
    app.add_middleware(Guard, loopback=loopback, request_bytes=limits.request_bytes, dropped=dropped)
    app.add_middleware(Timed, metrics=metrics)
    return app


def serve(service: Service, *, host: str, port: int, token: str | None) -> None:
    """Serve until interrupted. Beyond loopback a token is made where none is given.

    Raises:
        LexiscopeError: there is no such host, or the port is taken.
    """
    # First of all, so that a taken port is said at once; who comes early waits until all is loaded.
    listening = _listen(host, port)
    import uvicorn

    from lexiscope.terminal import say

    loopback = is_loopback(host)
    token = token or (None if loopback else secrets.token_urlsafe(16))
    app = make_app(service, loopback=loopback, token=token)
    threading.Thread(target=_warm_up, args=(service,), daemon=True).start()
    shown = f"[{host}]" if ":" in host else host
    say(f"lexiscope is at http://{shown}:{port}/{f'#token={token}' if token else ''} (Ctrl-C ends it)")
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run([listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=1024)
    except socket.gaierror:
        raise LexiscopeError(f"{host}: there is no such host; name one of this machine with --host") from None
    except OSError as error:
        why = os.strerror(error.errno or 0)
        option = "--port" if error.errno in {errno.EADDRINUSE, errno.EACCES} else "--host"
        raise LexiscopeError(
            f"cannot listen on {host}, port {port} ({why}); choose another with {option}"
        ) from None


def _warm_up(service: Service) -> None:
    with suppress(LexiscopeError):  # the first request will say what is wrong
        service.warm_up()
