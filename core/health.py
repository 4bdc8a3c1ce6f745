"""Health over HTTP, for whoever watches the post from outside."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from typing import Any

from core.errors import ConfigError


class Health(threading.Thread):
    """Answers ``/livez`` (the supervisor turns) and ``/readyz`` (every process is ready) over HTTP.

    Raises ConfigError where the port is taken.
    """

    def __init__(self, address: str, port: int, ready: Callable[[], dict[str, Any]]) -> None:
        super().__init__(name="health", daemon=True)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/livez":
                    self._answer(200, {"live": True})
                elif self.path == "/readyz":
                    state = ready()
                    self._answer(200 if state["ready"] else 503, state)
                else:
                    self._answer(404, {"error": "there is /livez and /readyz"})

            def _answer(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        try:
            self._server = http.server.ThreadingHTTPServer((address, port), Handler)
        except OSError as error:
            raise ConfigError(
                f"cannot serve on {address}:{port}: {error.strerror}.",
                where="[health]",
                next="Choose another port, or 0 for a free one.",
            ) from error
        self.port: int = self._server.server_address[1]

    def run(self) -> None:
        """Serve until stopped."""
        self._server.serve_forever(0.2)

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
