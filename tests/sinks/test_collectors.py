"""Collector handlers: failures that all of them survive (case 36), and the specifics of each.

The application is a script that logs numbered records on request of the test, which makes a
file for each request, so that receivers can be started and killed in between.
"""

import json
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from pytest_cookies.plugin import Cookies

from tests.support.daemons import Daemon, needs
from tests.support.network import free_port, wait_until
from tests.support.project import Bake, Project
from tests.support.receivers import HttpReceiver, OtlpReceiver, TcpReceiver, UdpReceiver, hanging

MOST = 10_000  # records in a backlog

APPLICATION = """
import itertools, json, logging, time
from pathlib import Path
from my_service.logging_setup import setup_main_logging
try:
    from my_service.logging_setup.sinks import background
    background.LONGEST_PAUSE = 0.3
except ImportError:
    pass

logger = logging.getLogger("my_service")
with setup_main_logging() as logs:
    for phase in itertools.count():
        file = Path(f"phase-{phase}")
        while not file.exists():
            time.sleep(0.01)
        first, count, pause, padding = json.loads(file.read_text())
        if not count:
            break
        times = []
        for number in range(first, first + count):
            begun = time.perf_counter()
            logger.info("record %d%s", number, " " * padding)
            times.append(time.perf_counter() - begun)
            if pause:
                time.sleep(pause)
        memory = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024
        Path(f"done-{phase}").write_text(json.dumps({"p99": sorted(times)[count * 99 // 100], "worst": max(times),
                                                     "memory": memory}))
    stopping = time.monotonic()
print("stopped in", time.monotonic() - stopping)
"""


class Application:
    """A script of a generated project that logs on request."""

    def __init__(self, project: Project, folder: Path, url: str, **variables: str) -> None:
        self.folder = folder
        self.next = self.phase = 0
        self.process = project.start(
            "-W",
            "error",
            "-c",
            APPLICATION,
            cwd=folder,
            LOG_COLLECTOR_URL=url,
            **{"LOG_COLLECTOR_TIMEOUT": "1", **variables},
        )
        self.output = self.errors = ""

    def log(self, count: int, pause: float = 0.0, padding: int = 0) -> list[str]:
        """Request `count` records, wait until the log calls have returned, and return the messages."""
        first, self.next = self.next, self.next + count
        self._ask(first, count, pause, padding)
        done = self.folder / f"done-{self.phase}"
        wait_until(lambda: self.process.poll() is not None or (done.exists() and done.read_text()), "the log calls")
        assert done.exists(), self.process.communicate()
        self.report = json.loads(done.read_text())
        self.phase += 1
        return [f"record {number}{' ' * padding}" for number in range(first, first + count)]

    def _ask(self, first: int, count: int, pause: float, padding: int) -> None:
        making = self.folder / f"making-{self.phase}"
        making.write_text(json.dumps([first, count, pause, padding]))
        making.rename(self.folder / f"phase-{self.phase}")

    def stop(self) -> str:
        """End the script, and return the text of its log file."""
        if self.process.poll() is None:
            self._ask(0, 0, 0, 0)
        output, self.errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, self.errors
        self.took = float(output.rpartition("stopped in ")[2])
        self.output = self.log_file()
        return self.output

    def log_file(self) -> str:
        """Return the text of its log file now."""
        return "".join(file.read_text("utf-8") for file in (self.folder / "logs").glob("*.log"))

    def await_failure(self) -> None:
        """Wait for the report that the receiver is missing."""
        wait_until(lambda: "will be retried" in self.log_file(), "a report of the failure")

    def lost(self) -> int:
        """Return how many records were lost before the receiver came back, according to the log."""
        return sum(map(int, re.findall(r"delivery restored, (\d+) records dropped", self.output)))


Start = Callable[..., Application]
SINKS = {"tcp": TcpReceiver, "udp": UdpReceiver, "http": HttpReceiver, "otlp": OtlpReceiver}


@pytest.fixture
def start(bake: Bake, tmp_path: Path) -> Iterator[Start]:
    started: list[Application] = []

    def start(sink: str, url: str, *, multiprocessing: bool = False, **variables: str) -> Application:
        project = bake(
            collector_handler=sink, multiprocessing=multiprocessing, email_handler=False, console_handler="none"
        )
        started.append(Application(project, tmp_path, url, **variables))
        return started[-1]

    yield start
    for application in started:
        if application.process.poll() is None:
            application.process.kill()
            application.process.communicate()


@pytest.fixture(params=SINKS)
def sink(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def print_result(text: str) -> None:
    """Print a measurement; `pytest -s` shows it."""
    print(text)


def without_doubles(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text.startswith("record ")))


class TestReceivers:
    """Receivers that are late, hang, restart or are unreachable."""

    def test_receiver_restarts_lose_no_record(self, start: Start, sink: str) -> None:
        receiver = SINKS[sink]()
        application = start(sink, receiver.url)
        logged = application.log(100)
        with receiver:
            receiver.await_texts(*logged)
            logged += application.log(100, pause=0.0005)
            receiver.await_texts(*logged)
            healthy = application.report["p99"]
        logged += application.log(100, pause=0.0005)
        sick = application.report["p99"]
        with receiver:
            receiver.await_texts(*logged)
            logged += application.log(100)
            receiver.await_texts(*logged)
            output = application.stop()
        print_result(f"{sink}: p99 of a log call, receiver dead / healthy: {sick / healthy:.2f}")
        assert without_doubles(receiver.texts) == logged
        assert "will be retried" in output
        assert "delivery restored, 0 records dropped" in output

    @pytest.mark.parametrize("sink", ["tcp", "http", "otlp"])
    def test_hanging_receiver_blocks_no_call_loses_nothing(self, start: Start, sink: str) -> None:
        with SINKS[sink]() as receiver:
            application = start(sink, receiver.url)
            logged = application.log(200)
            receiver.await_texts(*logged)
            healthy = application.report["p99"]
            with hanging(receiver):
                logged += application.log(5_000)
                sick, worst = application.report["p99"], application.report["worst"]
                application.await_failure()
            receiver.await_texts(*logged)
            application.stop()
        print_result(f"{sink}: p99 of a log call, receiver hanging / healthy: {sick / healthy:.2f}")
        assert worst < 0.9, "a log call waited for the time-out"
        assert set(without_doubles(receiver.texts)) == set(logged)

    def test_receiver_hanging_from_the_start_is_detected(self, start: Start) -> None:
        with HttpReceiver() as receiver:
            with hanging(receiver):
                application = start("http", receiver.url)
                logged = application.log(5)
                application.await_failure()
            receiver.await_texts(*logged)

    @pytest.mark.parametrize("sink", ["tcp", "http", "otlp"])
    def test_full_backlog_drops_and_reports_the_oldest(self, start: Start, sink: str) -> None:
        receiver = SINKS[sink]()
        application = start(sink, receiver.url)
        logged = application.log(MOST + 5_000)
        assert application.report["memory"] < 120, "MB"
        with receiver:
            receiver.await_texts(logged[-1])
            after = application.log(50)
            receiver.await_texts(*after)
            output = application.stop()
        arrived = without_doubles(receiver.texts)
        assert arrived[-50:] == after
        missing = len(logged) + len(after) - len(arrived)
        assert missing > 3_000
        assert missing <= application.lost() <= missing + 10, "10: reports of logging's own, in the same backlog"
        assert "backlog is full" in output

    def test_large_records_take_bounded_memory(self, bake: Bake, tmp_path: Path) -> None:
        project = bake(collector_handler="tcp", multiprocessing=False, email_handler=False, file_handler="none")
        script = """
import logging
from my_service.logging_setup import setup_main_logging
def memory():
    with open("/proc/self/status") as status:  # not ru_maxrss, which a child inherits from its parent
        return int(status.read().partition("VmHWM:")[2].split()[0]) // 1024
logger = logging.getLogger("my_service")
with setup_main_logging():
    logger.info("%s", "x" * 100_000)
    before = memory()
    for number in range(600):
        logger.info("%s", "x" * 100_000)
    print("grown", memory() - before)
    logging.getLogger().handlers[-1].finish_by(0)
"""
        url = TcpReceiver().url
        ended = project.run("-c", script, cwd=tmp_path, LOG_COLLECTOR_URL=url, LOG_CONSOLE_LEVEL="WARNING")
        assert int(ended.stdout.rpartition("grown ")[2].split()[0]) < 30, "MB, of 60 that were logged"

    def test_late_receiver_gets_every_record(self, start: Start, sink: str) -> None:
        receiver = SINKS[sink]()
        application = start(sink, receiver.url, multiprocessing=True)
        logged = application.log(50)
        application.await_failure()
        with receiver:
            receiver.await_texts(*logged)
            logged += application.log(50)
            output = application.stop()
            receiver.await_texts(*logged)
        assert without_doubles(receiver.texts) == logged
        assert "delivery restored" in output


class TestEnd:
    """Delivery at the end of a process."""

    def test_last_records_are_delivered_before_the_end(self, start: Start, sink: str) -> None:
        with SINKS[sink]() as receiver:
            application = start(sink, receiver.url)
            logged = application.log(500 if sink != "udp" else 50)
            application.stop()
            receiver.await_texts(*logged)

    @pytest.mark.parametrize("sink", ["tcp", "otlp"])
    def test_dead_receiver_delays_the_end_by_bounded_time(self, start: Start, sink: str) -> None:
        """The records lost then are reported."""
        application = start(sink, SINKS[sink]().url)
        application.log(30)
        output = application.stop()
        assert application.took < 9
        lost = [int(n) for n in re.findall(r": (\d+) records dropped: not delivered before the deadline", output)]
        assert len(lost) == 1
        assert 30 <= lost[0] <= 32, "and reports of logging's own"

    def test_handler_attached_by_hand_is_drained_at_exit(self, bake: Bake, tmp_path: Path) -> None:
        project = bake(collector_handler="tcp", multiprocessing=False, email_handler=False, file_handler="none")
        script = """
import logging
from my_service.logging_setup import Settings, get_handlers
logging.getLogger().addHandler(get_handlers(Settings.from_environ())[-1])
for number in range(500):
    logging.error("number %d", number)
"""
        with TcpReceiver() as receiver:
            project.run("-c", script, cwd=tmp_path, LOG_COLLECTOR_URL=receiver.url)
            receiver.await_texts(*(f"number {number}" for number in range(500)), within=2.0)

    def test_forked_child_sends_only_its_own_records(self, bake: Bake, tmp_path: Path) -> None:
        """Its parent's connection is not affected."""
        project = bake(collector_handler="tcp", multiprocessing=False, email_handler=False, file_handler="none")
        script = """
import logging, os, time
from my_service.logging_setup import setup_main_logging
logger = logging.getLogger("my_service")
with setup_main_logging():
    logger.info("first")
    while not os.path.exists("go"):
        time.sleep(0.01)
    for number in range(300):
        logger.info("parent %d", number)
    if not os.fork():
        for number in range(8):
            logger.info("child %d%s", number, " " * 600_000)
        for handler in logging.getLogger().handlers:
            handler.close()
        os._exit(0)
    for number in range(300, 308):
        logger.info("parent %d%s", number, " " * 600_000)
    os.wait()
"""
        with TcpReceiver() as receiver:
            process = project.start("-c", script, cwd=tmp_path, LOG_COLLECTOR_URL=receiver.url, LOG_REDACT="off")
            receiver.await_texts("first")
            (tmp_path / "go").touch()
            process.communicate(timeout=30)
            expected = {f"parent {n}" for n in range(308)} | {f"child {n}" for n in range(8)}
            wait_until(lambda: expected <= {text.strip() for text in receiver.texts}, "the records of both")
        assert sorted(text.strip() for text in receiver.texts if text.strip() in expected | {"first"}) == sorted(
            {*expected, "first"}
        )
        assert receiver.cut_short == []


def recoveries(output: str) -> list[str]:
    return re.findall(r"delivery (restored.*|failed, will be retried)", output)


NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    limit_req_zone $server_port zone=logs:1m rate={rate};
    limit_req_status {status};
    client_max_body_size {body};
    server {{
        listen 127.0.0.1:{port};
        location /logs {{
            limit_req zone=logs;
            proxy_pass http://127.0.0.1:{behind};
        }}
    }}
}}
"""


class Nginx(Daemon):
    """nginx in front of a receiver, with a limit of requests per second and of size (by default 1 MB)."""

    def __init__(self, folder: Path, behind: int, rate: str, status: int, body: str = "1m") -> None:
        super().__init__(folder, "nginx", "-p", str(folder), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log")
        self.port = free_port()
        (folder / "nginx.conf").write_text(
            NGINX.format(folder=folder, port=self.port, behind=behind, rate=rate, status=status, body=body)
        )

    def is_up(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class TestHttp:
    """Answers of HTTP receivers."""

    @pytest.mark.parametrize("sink", ["http", "otlp"])
    def test_status_500_and_429_are_retried_after_a_pause(self, start: Start, sink: str) -> None:
        with SINKS[sink]() as receiver:
            receiver.always = 500
            application = start(sink, receiver.url)
            logged = application.log(100)
            wait_until(lambda: len(receiver.asked) >= 2)
            receiver.answers = [(429, "2"), (503, "a while")]
            receiver.always = None
            receiver.await_texts(*logged)
            output = application.stop()
        pauses = [after - before for before, after in zip(receiver.asked, receiver.asked[1:], strict=False)]
        assert max(pauses) > 1.9, "Retry-After: 2"
        assert without_doubles(receiver.texts) == logged
        assert "the server answered 500" in output

    @pytest.mark.parametrize(("sink", "multiprocessing"), [("http", True), ("otlp", False)])
    def test_reports_do_not_sustain_a_rate_limit(self, start: Start, sink: str, multiprocessing: bool) -> None:
        """Case 70: a report on a refused delivery must not start the next delivery, or this never ends."""
        with SINKS[sink]() as receiver:
            receiver.grudging = True
            levels = {"LOG_LEVEL": "DEBUG", "LOG_COLLECTOR_LEVEL": "DEBUG"}
            application = start(sink, receiver.url, multiprocessing=multiprocessing, **levels)
            logged = application.log(1)
            receiver.await_texts(*logged)
            requests = len(receiver.asked)
            time.sleep(1.5)  # no event to await: the test is that nothing is sent
            assert len(receiver.asked) == requests
            logged += application.log(1)
            receiver.await_texts(*logged)
            output = application.stop()
        assert output.count("delivery restored") == 1
        assert any("delivery restored" in text for text in receiver.texts), "with the next delivery, it arrives"

    def test_failure_is_not_reported_after_its_recovery(self, start: Start) -> None:
        """Case 81: the second failure comes within a minute of the first, and is over before the exit."""
        with HttpReceiver() as receiver:
            receiver.answers = [(500, None)]
            application = start("http", receiver.url)
            receiver.await_texts(*application.log(1))
            receiver.answers = [(500, None)]
            receiver.await_texts(*application.log(1))
            output = application.stop()
        assert recoveries(output) == ["failed, will be retried", "restored, 0 records dropped meanwhile"]

    def test_failure_at_exit_is_not_reported_as_retried(self, start: Start) -> None:
        """Case 81: the last report is that of the loss."""
        application = start("http", HttpReceiver().url)
        application.log(1)
        application.await_failure()
        output = application.stop()
        assert "records dropped: not delivered before the deadline" in output.splitlines()[-1]
        assert recoveries(output) == ["failed, will be retried"]

    @pytest.mark.parametrize(
        ("sink", "end"),
        [
            ("tcp", ", not counting those that the receiver had not read"),
            ("udp", ", not counting datagrams lost on the way"),
            ("http", ""),
        ],
    )
    def test_recovery_names_what_is_not_counted(self, start: Start, sink: str, end: str) -> None:
        """Case 78."""
        receiver = SINKS[sink]()
        application = start(sink, receiver.url)
        logged = application.log(10)
        application.await_failure()
        with receiver:
            receiver.await_texts(*logged)
            output = application.stop()
        assert recoveries(output)[-1] == f"restored, 0 records dropped meanwhile{end}"

    @pytest.mark.parametrize("sink", ["http", "otlp"])
    def test_batch_that_is_too_large_is_halved(self, start: Start, sink: str) -> None:
        """Case 79: only the record that is too large alone is dropped."""
        receiver = SINKS[sink]()
        receiver.limit = 20_000
        application = start(sink, receiver.url, LOG_REDACT="off")  # which cuts
        logged = application.log(200, padding=600)
        application.log(1, padding=30_000)
        logged += application.log(200, padding=600)
        application.await_failure()
        with receiver:
            receiver.await_texts(*logged)
            logged += application.log(200, padding=600)
            receiver.await_texts(*logged)
            output = application.stop()
        assert [text for text in receiver.texts if text.startswith("record ")] == logged
        assert receiver.largest > 5_000, "records were still gathered"
        assert re.findall(r"(\d+ records dropped: .*413)", output) == [
            "1 records dropped: refused: the server answered 413"
        ]
        assert "not delivered" not in output

    @needs("nginx")
    def test_nginx_with_a_small_limit_gets_every_record(self, start: Start, tmp_path: Path) -> None:
        """Case 79."""
        with HttpReceiver() as receiver:
            nginx = Nginx(tmp_path, receiver.port, "100r/s", 429, body="20k")
            nginx.start()
            try:
                application = start("http", f"http://127.0.0.1:{nginx.port}/logs")
                logged = application.log(500, padding=600)
                receiver.await_texts(*logged)
                output = application.stop()
            finally:
                nginx.stop()
        assert without_doubles(receiver.texts) == logged
        assert not re.search(r"[1-9]\d* records dropped", output)

    @needs("nginx")
    @pytest.mark.parametrize(("sink", "status"), [("http", 429), ("otlp", 503)])
    def test_nginx_with_limits_gets_every_record(self, start: Start, tmp_path: Path, sink: str, status: int) -> None:
        with SINKS[sink]() as receiver:
            receiver.taken = 204 if sink == "http" else 200  # the only one of OTLP
            nginx = Nginx(tmp_path, receiver.port, "300r/m", status)
            nginx.start()
            try:
                application = start(sink, f"http://127.0.0.1:{nginx.port}/logs")
                logged = application.log(1)
                receiver.await_texts(*logged)
                logged += application.log(2_000, padding=600)  # more than one request may hold
                receiver.await_texts(*logged)
                assert receiver.largest > 100_000, "records were gathered"
                nginx.stop(signal.SIGKILL)
                logged += application.log(10)
                nginx.start()
                receiver.await_texts(*logged)
                output = application.stop()
            finally:
                nginx.stop()
        assert without_doubles(receiver.texts) == logged
        assert f"answered {status}" in output
        assert not re.search(r"[1-9]\d* records dropped", output)

    @pytest.mark.parametrize("sink", ["http", "otlp"])
    @pytest.mark.parametrize("status", [301, 400, 401, 413])
    def test_refused_batch_is_reported_and_skipped(self, start: Start, sink: str, status: int) -> None:
        with SINKS[sink]() as receiver:
            receiver.answers = [(status, None)]
            application = start(sink, receiver.url)
            application.log(1)
            wait_until(lambda: receiver.asked)
            later = application.log(10)
            receiver.await_texts(*later)
            output = application.stop()
        assert f"1 records dropped: refused: the server answered {status}" in output
        assert "record 0" not in receiver.texts

    @pytest.mark.parametrize("sink", ["http", "otlp"])
    def test_token_is_sent_as_bearer_and_printed_nowhere(self, start: Start, tmp_path: Path, sink: str) -> None:
        (tmp_path / "token").write_text("t0p-s3cret\n")
        with SINKS[sink]() as receiver:
            application = start(sink, receiver.url, LOG_COLLECTOR_TOKEN_FILE="token")  # noqa: S106
            receiver.await_texts(*application.log(1))
            application.stop()
        headers = {key.lower(): value for key, value in receiver.headers[0].items()}
        assert headers["authorization"] == "Bearer t0p-s3cret"
        assert headers["content-type"] == {"http": "application/x-ndjson", "otlp": "application/x-protobuf"}[sink]
        assert "t0p-s3cret" not in application.output + application.errors


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


class TestTcp:
    """Streams, with and without TLS."""

    @pytest.mark.parametrize("sink", ["tcp", "http", "otlp"])
    def test_tls_accepts_only_a_trusted_certificate(
        self, start: Start, authority: trustme.CA, tls: ssl.SSLContext, tmp_path: Path, sink: str
    ) -> None:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        with SINKS[sink](tls) as receiver:
            stranger = start(sink, receiver.url)
            stranger.log(1)
            stranger.await_failure()
            assert "CERTIFICATE_VERIFY_FAILED" in stranger.log_file()
            assert receiver.texts == []
            stranger.process.kill()
            for file in tmp_path.glob("*-*"):
                file.unlink()
            application = start(sink, receiver.url, LOG_COLLECTOR_CA_FILE="ca.pem")
            logged = application.log(100)
            application.stop()
            receiver.await_texts(*logged)

    def test_tls_delivers_the_last_record_of_a_process(
        self, start: Start, authority: trustme.CA, tls: ssl.SSLContext, tmp_path: Path
    ) -> None:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        with TcpReceiver(tls) as receiver:
            with hanging(receiver):  # so that most of the record is still in the sender
                application = start("tcp", receiver.url, LOG_COLLECTOR_CA_FILE="ca.pem", LOG_REDACT="off")  # which cuts
                logged = application.log(1, padding=100_000)
                application.stop()
            receiver.await_texts(*logged)

    def test_line_cut_by_a_broken_connection_is_sent_again(self, start: Start) -> None:
        with TcpReceiver() as receiver:
            application = start("tcp", receiver.url, LOG_REDACT="off")  # which cuts
            with hanging(receiver):
                logged = application.log(6, padding=400_000)
                time.sleep(1.5)  # the handler fills the connection, and closes it in the middle of a line
            receiver.await_texts(*logged)
            application.stop()
        assert receiver.connections > 1
        assert receiver.cut_short, "no line was cut short: the test has tested nothing"


LOCALHOST = """
import logging, socket, sys
from my_service.logging_setup import setup_main_logging
found = socket.getaddrinfo

def both(host, port, *args, **options):  # as where /etc/hosts has these addresses for localhost, in this order
    hosts = sys.argv[1:] if host == "localhost" else [host]
    return [each for host in hosts for each in found(host, port, *args, **options)]

socket.getaddrinfo = both
with setup_main_logging():
    for number in range(100):
        logging.info("record %d", number)
"""


class TestUdp:
    """Datagrams."""

    def test_datagram_is_cut_to_fit_and_stays_json(self, bake: Bake, tmp_path: Path) -> None:
        project = bake(collector_handler="udp", multiprocessing=False, email_handler=False, file_handler="none")
        script = r"""
import logging
from my_service.logging_setup import setup_main_logging
with setup_main_logging():
    logger = logging.getLogger("my_service")
    logger.info("long " + "\u20ac" * 50_000)
    logger.info("many", extra={f"key{n}": "v" * 100 for n in range(190)})
    logger.info("last")
"""
        with UdpReceiver() as receiver:
            project.run("-c", script, cwd=tmp_path, LOG_COLLECTOR_URL=receiver.url)
            receiver.await_texts("last", "many")
        assert 2_000 < receiver.longest <= 8_192
        assert receiver.texts[0].startswith("long \u20ac")
        assert receiver.texts[0].endswith("characters]")

    @pytest.mark.parametrize("first", ["::1", "127.0.0.2"])
    def test_datagram_goes_to_the_address_that_accepts_it(self, bake: Bake, tmp_path: Path, first: str) -> None:
        """Case 71."""
        project = bake(collector_handler="udp", multiprocessing=False, email_handler=False, file_handler="none")
        with UdpReceiver() as receiver:
            url = receiver.url.replace("127.0.0.1", "localhost")
            ended = project.run("-c", LOCALHOST, first, "127.0.0.1", cwd=tmp_path, LOG_COLLECTOR_URL=url)
            receiver.await_texts(*(f"record {number}" for number in range(100)))
        assert "will be retried" not in ended.stdout
        assert without_doubles(receiver.texts) == [f"record {number}" for number in range(100)]

    def test_datagram_waits_while_no_address_accepts_it(self, bake: Bake, tmp_path: Path) -> None:
        project = bake(collector_handler="udp", multiprocessing=False, email_handler=False, file_handler="none")
        receiver = UdpReceiver()
        url = receiver.url.replace("127.0.0.1", "localhost")
        with project.start("-c", LOCALHOST, "::1", "127.0.0.1", cwd=tmp_path, LOG_COLLECTOR_URL=url) as process:
            assert process.stdout
            until = time.monotonic() + 20
            while not re.search("will be retried: .*Connection refused", process.stdout.readline()):
                assert time.monotonic() < until
            with receiver:
                process.communicate(timeout=30)
                receiver.await_texts("record 0", "record 99")

    def test_odd_otlp_record_loses_no_other(self, bake: Bake, tmp_path: Path) -> None:
        project = bake(collector_handler="otlp", multiprocessing=False, email_handler=False, file_handler="none")
        script = r"""
import logging
from my_service.logging_setup import setup_main_logging
logging.addLevelName(35, "ODD\ud800")
with setup_main_logging():
    logging.info("first")
    logging.getLogger("lone\ud800").info("name")
    logging.log(35, "level")
    logging.info("key", extra={"lone\ud800": 1, "process.name": "mine"})
    for created in (-1.0, 2.0**64, float("nan"), float("inf"), None):
        logging.getLogger().handle(logging.makeLogRecord({"msg": f"time {created}", "levelno": 20, "created": created}))
    logging.info("last")
"""
        with OtlpReceiver() as receiver:
            ended = project.run("-c", script, cwd=tmp_path, LOG_COLLECTOR_URL=receiver.url)
            receiver.await_texts("first", "name", "level", "key", "time nan", "time inf", "time None", "last")
        assert ended.stderr == ""
        assert {entry["record"].severity_text for entry in receiver.entries} >= {"INFO", "ODD?"}
        assert "lone?" in {entry["scope"] for entry in receiver.entries}
        attributes = receiver.entries[receiver.texts.index("key")]["attributes"]
        assert attributes["process.name"] == "MainProcess"
        assert (attributes["lone\\ud800"], attributes["fields.process.name"]) == (1, "mine")
        assert all(abs(entry["record"].time_unix_nano / 1e9 - time.time()) < 60 for entry in receiver.entries)


class TestOtlp:
    """OpenTelemetry."""

    def test_otlp_records_follow_the_semantic_conventions(self, bake: Bake, tmp_path: Path) -> None:
        project = bake(collector_handler="otlp", multiprocessing=False, email_handler=False, file_handler="none")
        script = r"""
import logging, os, threading
from my_service.logging_setup import log_context, setup_main_logging
logger = logging.getLogger("my_service.shop")
before = set(threading.enumerate())
with setup_main_logging():
    print("threads", sorted(thread.name for thread in set(threading.enumerate()) - before))
    with log_context(order=42, trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331"):
        try:
            {}["missing"]
        except KeyError:
            logger.exception("it broke", extra={"large": 2**70, "lone": "\ud800", "nested": {"a": [1, None]}})
    print("pid", os.getpid())
"""
        with OtlpReceiver() as receiver:
            ended = project.run("-c", script, cwd=tmp_path, LOG_COLLECTOR_URL=receiver.url)
            receiver.await_texts("it broke")
        entry = receiver.entries[receiver.texts.index("it broke")]
        record, attributes = entry["record"], entry["attributes"]
        assert "threads ['log-levels', 'log-otlp']" in ended.stdout
        assert entry["resource"] == {"service.name": "my-service"}
        assert entry["scope"] == "my_service.shop"
        assert (record.severity_text, record.severity_number) == ("ERROR", 17)
        assert abs(record.time_unix_nano / 1e9 - time.time()) < 60
        assert record.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
        assert record.span_id.hex() == "b7ad6b7169203331"
        assert attributes["exception.type"] == "KeyError"
        assert attributes["exception.message"] == "'missing'"
        assert attributes["exception.stacktrace"].startswith("Traceback")
        assert attributes["code.function.name"] == "<module>"
        assert attributes["order"] == 42
        assert attributes["large"] == str(2**70)
        assert attributes["process.pid"] == int(ended.stdout.rpartition("pid ")[2].split()[0])

    @pytest.mark.parametrize("sink", ["tcp", "http", "otlp"])
    def test_libraries_of_the_collector_cause_no_loop(self, start: Start, sink: str) -> None:
        with SINKS[sink]() as receiver:
            application = start(
                sink,
                receiver.url,
                multiprocessing=True,
                LOG_LISTENER="thread",
                LOG_LEVEL="DEBUG",
                LOG_COLLECTOR_LEVEL="DEBUG",
            )
            receiver.await_texts(*application.log(5))
            time.sleep(0.5)
            application.stop()
        assert len(receiver.texts) < 30


def ended_at_once(bake: Bake, folder: Path, sink: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    project = bake(collector_handler=sink)
    ended = project.run("-c", "import my_service.logging_setup as l; l.setup_main_logging()", cwd=folder, **variables)
    assert ended.returncode == 2, ended
    assert "Traceback" not in ended.stderr
    return ended


class TestSettings:
    """Settings of a collector."""

    @pytest.mark.parametrize(
        ("sink", "url"),
        [
            ("syslog", "http://host:514"),
            ("syslog", "tcp://host"),
            ("syslog", "unix://host"),
            ("tcp", "tcp://host:0x10"),
            ("tcp", "host:5170"),
            ("tcp", "tcp://host:5170/path"),
            ("udp", "tcp://host:5170"),
            ("http", "https://"),
            ("otlp", "grpc://host:4317"),
        ],
    )
    def test_url_of_another_form_is_refused(self, bake: Bake, tmp_path: Path, sink: str, url: str) -> None:
        ended = ended_at_once(bake, tmp_path, sink, LOG_COLLECTOR_URL=url, LOG_COLLECTOR_LEVEL="LOUD")
        assert f"LOG_COLLECTOR_URL='{url}': must be a URL such as " in ended.stderr
        assert "LOG_COLLECTOR_LEVEL='LOUD': must be a level" in ended.stderr

    @pytest.mark.parametrize("sink", ["syslog", "tcp", "udp", "http", "otlp"])
    @pytest.mark.parametrize("userinfo", ["me:pass@word", "pass@word", "me:pa/ss@word"])
    def test_credentials_in_the_url_are_refused_and_hidden(
        self, bake: Bake, tmp_path: Path, sink: str, userinfo: str
    ) -> None:
        scheme = {"syslog": "tcp", "otlp": "http"}.get(sink, sink)
        ended = ended_at_once(bake, tmp_path, sink, LOG_COLLECTOR_URL=f"{scheme}://{userinfo}@host:5170")
        assert "LOG_COLLECTOR_URL" in ended.stderr
        assert "without user and password" in ended.stderr
        assert "word" not in ended.stderr.replace("password", "")
        assert "pa" not in ended.stderr.replace("password", "").replace("path", "")

    def test_unusable_files_are_named_and_tokens_hidden(self, bake: Bake, tmp_path: Path) -> None:
        (tmp_path / "ca").write_text("nonsense")
        ended = ended_at_once(
            bake,
            tmp_path,
            "http",
            LOG_COLLECTOR_TOKEN="sec ret",  # noqa: S106
            LOG_COLLECTOR_TOKEN_FILE="none",  # noqa: S106
            LOG_COLLECTOR_CA_FILE="ca",
        )
        for name in ("LOG_COLLECTOR_TOKEN", "LOG_COLLECTOR_TOKEN_FILE", "LOG_COLLECTOR_CA_FILE"):
            assert name in ended.stderr
        assert "sec ret" not in ended.stderr

    @pytest.mark.parametrize("sink", ["syslog", "tcp", "udp", "http", "otlp"])
    def test_collector_without_a_url_reports_that_once(self, bake: Bake, tmp_path: Path, sink: str) -> None:
        ended = bake(collector_handler=sink).run("-m", "my_service", cwd=tmp_path)
        assert ended.returncode == 0, ended
        assert ended.stdout.count("collector: off: LOG_COLLECTOR_URL is not set") == 1


class TestChoices:
    """Files and variables of each choice."""

    def test_only_variables_of_the_choice_exist(self, bake: Bake) -> None:
        of_all = {"URL", "LEVEL"}
        expected = {
            "none": set(),
            "udp": of_all,
            "tcp": of_all | {"TIMEOUT", "CA_FILE"},
            "syslog": of_all | {"TIMEOUT", "CA_FILE"},
            "http": of_all | {"TIMEOUT", "CA_FILE", "TOKEN", "TOKEN_FILE"},
            "otlp": of_all | {"TIMEOUT", "CA_FILE", "TOKEN", "TOKEN_FILE"},
        }
        for sink, names in expected.items():
            project = bake(collector_handler=sink)
            example = (project.path / ".env.example").read_text("utf-8")
            assert set(re.findall(r"^LOG_COLLECTOR_(\w+)=", example, re.MULTILINE)) == names
            file = project.logging / "sinks" / "collector.py"
            settings = file.read_text("utf-8") if file.exists() else ""
            assert set(re.findall(r'setting\(\s*"LOG_COLLECTOR_(\w+)"', settings)) == names

    def test_opentelemetry_is_required_by_otlp_only(self, bake: Bake) -> None:
        for sink in ("none", "syslog", "tcp", "udp", "http", "otlp"):
            project = bake(collector_handler=sink)
            assert ("opentelemetry-sdk" in (project.path / "pyproject.toml").read_text("utf-8")) == (sink == "otlp")
            importing = [
                f
                for f in project.logging.rglob("*.py")
                if "import opentelemetry" in f.read_text("utf-8") or "from opentelemetry" in f.read_text("utf-8")
            ]
            assert [f.name for f in importing] == (["otlp.py"] if sink == "otlp" else [])

    def test_collector_counts_as_a_handler(self, cookies: Cookies) -> None:
        none = {"console_handler": "none", "file_handler": "none", "email_handler": False}
        assert cookies.bake(extra_context=none).exit_code != 0
        assert cookies.bake(extra_context={**none, "collector_handler": "tcp"}).exit_code == 0

    def test_only_modules_of_the_choice_are_generated(self, bake: Bake) -> None:
        common = {"answers.py", "background.py", "console.py", "dispatcher.py", "log_files.py"}
        common |= {"rotating_file.py", "timed_file.py", "collector.py", "__init__.py"}
        expected = {
            "none": set(),
            "syslog": {"syslog.py", "connection.py", "datagrams.py"},
            "tcp": {"tcp.py", "connection.py"},
            "udp": {"udp.py", "datagrams.py"},
            "http": {"http.py", "connection.py"},
            "otlp": {"otlp.py"},
        }
        for sink, modules in expected.items():
            project = bake(collector_handler=sink, email_handler=False)
            there = {file.name for file in (project.logging / "sinks").iterdir() if file.suffix == ".py"}
            assert there == common - ({"collector.py"} if sink == "none" else set()) | modules
