"""`lexiscope demo`: the page in a browser, with the HTTP API beside it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lexiscope.demo.service import Service

__all__ = ["demo"]


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="The index; without one, a small sample is shown."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Where to listen; other machines reach only what is not loopback.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 7860,
    token: Annotated[
        str | None,
        typer.Option(envvar="LEXISCOPE_TOKEN", help="Asked of who adds or deletes. Beyond loopback, always."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="M", help="Another place of the model that the index was made with.")
    ] = None,
) -> None:
    """Search an index in the browser, and over HTTP (described at /docs)."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Several requests compute at once, so that one core each is fastest; set before torch loads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from lexiscope.demo.server import serve
    from lexiscope.demo.service import Service

    service = _sample() if folder is None else Service(folder, model=model)
    serve(service, host=host, port=port, token=token)


def _sample() -> Service:
    """The quickstart's sample, indexed behind the page on first use and kept in the user's cache."""
    from lexiscope.demo.service import Service
    from lexiscope.quickstart import sample_index
    from lexiscope.terminal import say

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lexiscope" / "sample"
    cache.mkdir(parents=True, exist_ok=True)  # a folder that cannot be written to is said at once
    say(f"no index named: showing the sample in {cache}")
    return Service(cache / "index", make=partial(sample_index, cache))
