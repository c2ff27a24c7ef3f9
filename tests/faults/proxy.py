"""A proxy on loopback that simulates network and server faults."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass(frozen=True)
class Fault:
    """A fault that replaces the response to a request.

    Attributes:
        status: respond with this status; 0 for no response.
        retry_after: seconds in the header of that name.
        stall: wait this number of seconds first.
        reset: read a part of the request and reset the connection.
    """

    status: int = 0
    retry_after: int | None = None
    stall: float = 0
    reset: bool = False


#: (number of the request, method, path) => its fault, or None.
Faults = Callable[[int, str, str], Fault | None]


def fair(_number: int, _method: str, _path: str) -> None:
    """No faults."""


def _end_to_end(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP)


class Proxy:
    """Forwards requests to a server, or applies a fault to them.

    Attributes:
        faults: selects the fault of each request; can be changed at any time.
        writes: number of write requests since the faults were set.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream, self._lock = urlsplit(upstream).netloc, threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.set(fair)

    def set(self, faults: Faults) -> None:
        """Change the faults."""
        self.faults, self.writes = faults, 0

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault of a request; only write requests are counted."""
        if path == "/health" or method == "GET":
            return self.faults(-1, method, path)
        with self._lock:
            self.writes += 1
            return self.faults(self.writes, method, path)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                fault = proxy.fault(self.command, self.path.partition("?")[0])
                if fault is not None:
                    time.sleep(fault.stall)
                    if fault.reset or not fault.status:
                        return self._reset()
                    return self._answer(fault)
                return self._pass_on()

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

            def _reset(self) -> None:
                self.rfile.read(min(100, int(self.headers.get("Content-Length") or 0)))
                linger = struct.pack("ii", 1, 0)  # no orderly shutdown: the client sees a reset
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
                self.close_connection = True

            def _answer(self, fault: Fault) -> None:
                self._body()
                self.send_response(fault.status)
                if fault.retry_after is not None:
                    self.send_header("Retry-After", str(fault.retry_after))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _body(self) -> bytes:
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            def _pass_on(self) -> None:
                headers = dict(_end_to_end(self.headers.items()))
                upstream = http.client.HTTPConnection(proxy._upstream, timeout=60)
                with contextlib.closing(upstream):
                    upstream.request(self.command, self.path, self._body(), headers)
                    answer = upstream.getresponse()
                    body = answer.read()
                self.send_response(answer.status)
                for name, value in _end_to_end(answer.getheaders()):
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
