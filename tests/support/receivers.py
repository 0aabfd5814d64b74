"""Receivers for the collector handlers, which can be killed, hang, and fail on request.

Each is a real server on a port of its own that it keeps over a restart. `texts` are the messages
that have arrived, in order.
"""

import contextlib
import gzip
import json
import select
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.support.network import free_port, wait_until
from tests.support.project import DEADLINE


class Receiver:
    """Base of the receivers. `start` after `kill` is a restart on the same port."""

    kind = socket.SOCK_STREAM

    def __init__(self) -> None:
        self.port = free_port(self.kind)
        self.texts: list[str] = []
        self.entries: list[dict[str, Any]] = []
        self.reading = threading.Event()  # cleared: hangs
        self.reading.set()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        raise NotImplementedError

    def take(self, line: bytes) -> None:
        entry = json.loads(line)
        self.entries.append(entry)
        self.texts.append(entry["message"])

    def await_texts(self, *texts: str, within: float = DEADLINE) -> None:
        missing = set(texts)

        def all_there() -> bool:
            missing.difference_update(self.texts)
            return not missing

        wait_until(all_there, f"{len(missing)} of {len(texts)} texts, such as {sorted(missing)[:3]}", within)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class TcpReceiver(Receiver):
    """Receive lines over TCP, or TLS with a server context; ignore a line without its end."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.tls = tls
        self.cut_short: list[bytes] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"{'tls' if self.tls else 'tcp'}://localhost:{self.port}"

    def start(self) -> None:
        self.closing = threading.Event()
        self.threads = [threading.Thread(target=self._accept, args=(self._listen(),))]
        self.threads[0].start()

    def _listen(self) -> socket.socket:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        listening.bind(("127.0.0.1", self.port))
        listening.listen()
        return listening

    def _accept(self, listening: socket.socket) -> None:
        with listening:
            while not self.closing.is_set():
                if select.select([listening], [], [], 0.02)[0]:
                    thread = threading.Thread(target=self._read, args=(listening.accept()[0],))
                    self.threads.append(thread)
                    thread.start()

    def _read(self, connection: socket.socket) -> None:
        rest = b""
        with contextlib.suppress(OSError), connection:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self.connections += 1
            connection.settimeout(0.02)
            with connection:
                while not self.closing.is_set():
                    if not self.reading.wait(0.02):
                        continue
                    try:
                        data = connection.recv(65536)
                    except TimeoutError:
                        continue
                    if not data:
                        break
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        self.take(line)
        if rest:
            self.cut_short.append(rest)

    def kill(self) -> None:
        self.closing.set()
        for thread in self.threads:
            thread.join()


class UdpReceiver(Receiver):
    """Receive JSON datagrams."""

    kind = socket.SOCK_DGRAM
    longest = 0

    @property
    def url(self) -> str:
        return f"udp://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.closing = threading.Event()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", self.port))
        self.socket.settimeout(0.02)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        with self.socket:
            while not self.closing.is_set():
                with contextlib.suppress(TimeoutError):
                    data = self.socket.recv(65536)
                    self.longest = max(self.longest, len(data))
                    self.take(data)

    def kill(self) -> None:
        self.closing.set()
        self.thread.join()


class HttpReceiver(Receiver):
    """Receive POSTs; the first are answered by `answers` (status and Retry-After), then by `taken`."""

    path = "/logs"
    taken = 200  # status of accepted requests
    grudging = False  # if True, every other request is answered by 429

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.tls = tls
        self.always: int | None = None  # a status for all requests, unless None
        self.answers: list[tuple[int, str | None]] = []
        self.asked: list[float] = []  # times of requests, in monotonic seconds
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.largest = 0  # bytes of an accepted body
        self.limit: int | None = None  # of these bytes: 413 above it
        self.location = ""  # if set, the header of every answer
        self.words = b""  # body of every answer

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}{self.path}"

    def take_body(self, body: bytes) -> None:
        for line in body.splitlines():
            self.take(line)

    def answer(self) -> tuple[int, str | None]:
        if self.answers:
            return self.answers.pop(0)
        if self.grudging and len(self.asked) % 2:
            return 429, None
        return self.always or self.taken, None

    def start(self) -> None:
        self.closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 0.05

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                while not receiver.reading.wait(0.02):
                    if receiver.closing.is_set():
                        self.close_connection = True
                        return
                receiver.asked.append(time.monotonic())
                receiver.headers.append(dict(self.headers))
                receiver.paths.append(self.path)
                too_large = receiver.limit is not None and len(body) > receiver.limit
                if not too_large:
                    receiver.largest = max(receiver.largest, len(body))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                status, retry_after = (413, None) if too_large else receiver.answer()
                if status == receiver.taken:
                    receiver.take_body(body)
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    if retry_after:
                        self.send_header("Retry-After", retry_after)
                    if receiver.location:
                        self.send_header("Location", receiver.location)
                    if status != 204:
                        self.send_header("Content-Length", str(len(receiver.words)))
                    self.end_headers()
                    self.wfile.write(receiver.words)

            def handle_one_request(self) -> None:
                # An idle connection stays open until the server is killed.
                while not select.select([self.connection], [], [], 0.02)[0]:
                    if receiver.closing.is_set():
                        self.close_connection = True
                        return
                self.connection.settimeout(5)
                super().handle_one_request()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = False

            def handle_error(self, *_: object) -> None:
                pass

        socketserver.TCPServer.allow_reuse_address = True
        self.server = Server(("127.0.0.1", self.port), Handler)
        if self.tls:
            self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def kill(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class WebhookReceiver(HttpReceiver):
    """Receive one JSON object a request; the path is a secret."""

    path = "/services/T0/B0/s3cret-hook?sig=s3cret-sig"

    def take_body(self, body: bytes) -> None:
        self.entries.append(json.loads(body))
        self.texts.append(body.decode())


class OtlpReceiver(HttpReceiver):
    """Receive OTLP/HTTP, encoded as protobuf."""

    path = ""

    def take_body(self, body: bytes) -> None:
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        for of_resource in ExportLogsServiceRequest.FromString(body).resource_logs:
            for of_scope in of_resource.scope_logs:
                for record in of_scope.log_records:
                    self.texts.append(record.body.string_value)
                    self.entries.append(
                        {
                            "record": record,
                            "scope": of_scope.scope.name,
                            "resource": _plain(of_resource.resource.attributes),
                            "attributes": _plain(record.attributes),
                        }
                    )


def _plain(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextlib.contextmanager
def hanging(receiver: Receiver) -> Iterator[None]:
    receiver.reading.clear()
    try:
        yield
    finally:
        receiver.reading.set()
