"""The page's HTTP application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from adapters.console import drawing
from adapters.console.feed import Feed
from core.city import City

STATIC = Path(__file__).parent / "static"

#: Browsers that may look at the same time.
VIEWERS_MAX = 100

#: Nothing is loaded from elsewhere, nothing may frame the page.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(city: City, endpoint: str) -> Starlette:
    """The application for one city, following the kernel at ``endpoint``."""
    feed = Feed(endpoint)
    viewers: set[WebSocket] = set()
    streets, about = drawing.streets(city), msgspec.json.encode(drawing.about(city))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(feed.follow())
        yield
        task.cancel()

    async def page(_: Request) -> Response:
        return Response((STATIC / "index.html").read_bytes(), media_type="text/html", headers=_HEADERS)

    async def get_about(_: Request) -> Response:
        return Response(about, media_type="application/json")

    async def get_streets(_: Request) -> Response:
        return Response(streets, media_type="application/octet-stream")

    async def get_assets(request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in city.assets.kinds:
            return Response(f"The city has no assets of kind {kind!r}.", 404, media_type="text/plain")
        return Response(drawing.assets(city, kind), media_type="application/octet-stream")

    async def live(socket: WebSocket) -> None:
        if len(viewers) >= VIEWERS_MAX:
            await socket.close(1013, "too many viewers")
            return
        await socket.accept()
        viewers.add(socket)
        try:
            await _send_all(socket, feed)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            viewers.discard(socket)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/about.json", get_about),
            Route("/streets.bin", get_streets),
            Route("/assets/{kind:str}.bin", get_assets),
            WebSocketRoute("/live", live),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        lifespan=lifespan,
    )


async def _send_all(socket: WebSocket, feed: Feed) -> None:
    seen = 0
    while True:
        seen = await feed.next(seen)
        await socket.send_text(feed.status.decode())
        for name, levels in list(feed.layers.items()):
            # A layer's message: its name padded to 32 bytes, then one byte an asset (255: unknown).
            await socket.send_bytes(name.encode()[:32].ljust(32) + levels)
