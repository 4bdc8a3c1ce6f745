"""The page as an adapter: one process with one HTTP server."""

from __future__ import annotations

import socket

import msgspec
import uvicorn

from adapters.console.app import create_app
from core import city as cities
from core.adapter import Adapter
from core.config import Port
from core.errors import ConfigError
from core.run import Run


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[adapters.console]``: where the page is served. A port of 0 takes a free one."""

    address: str = "127.0.0.1"
    port: Port = 8080


def main(run: Run, settings: Settings, part: int) -> None:
    """Serve until SIGTERM. Raises ConfigError where the port is taken."""
    listener = _listen(settings.address, settings.port)
    address = f"http://{settings.address}:{listener.getsockname()[1]}/"
    (run.folder / "console.address").write_text(address, "utf-8")
    app = create_app(cities.load(run.city), run.status_ipc)
    config = uvicorn.Config(
        app, log_level="warning", ws_max_size=65_536, ws_max_queue=4, timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(address: str, port: int) -> socket.socket:
    try:
        return socket.create_server((address, port))
    except OSError as error:
        raise ConfigError(
            f"cannot serve on {address}:{port}: {error.strerror}.",
            where="[adapters.console]",
            next="Choose another port, or 0 for a free one.",
        ) from error


adapter = Adapter("console", Settings, main)
