"""Counts and times for Prometheus, in a registry of this server's own."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Metrics", "Timed"]

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What is counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lexiscope_requests", "Requests served.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "lexiscope_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.under_way = Gauge(
            "lexiscope_requests_under_way", "Requests being served.", registry=self.registry
        )
        self.documents = Gauge(
            "lexiscope_documents", "Documents in the index.", ["kind"], registry=self.registry
        )

    def answer(self, counts: dict[str, int] | None) -> Response:
        """All figures in Prometheus' text format; None: the index cannot be read, the rest is told."""
        self.documents.clear()
        for kind, count in (counts or {}).items():
            self.documents.labels(kind).set(count)
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


class Timed:
    """ASGI middleware that counts and times requests by their route, so that labels stay few."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve and count."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        began = time.perf_counter()
        self.metrics.under_way.inc()
        try:
            await self.app(scope, receive, seen)
        finally:
            self.metrics.under_way.dec()
            route = str(getattr(scope.get("route"), "path", "other"))
            self.metrics.requests.labels(_method(scope), route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - began)


def _method(scope: Scope) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
    return str(scope["method"]) if scope["method"] in known else "other"
