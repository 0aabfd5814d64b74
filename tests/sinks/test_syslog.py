"""Syslog to a real rsyslogd and a real syslog-ng: one message a record over every transport (cases 35 and 49)."""

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.daemons import Daemon, needs
from tests.support.network import free_port, wait_until
from tests.support.project import Bake, Project

CONFIGURATION = """
global(workDirectory="{folder}")
module(load="imtcp")
module(load="imudp")
module(load="imuxsock" SysSock.Use="off")
template(name="json" type="list" option.jsonf="on") {{
    property(outname="severity" name="syslogseverity" format="jsonf")
    property(outname="facility" name="syslogfacility" format="jsonf")
    property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="host" name="hostname" format="jsonf")
    property(outname="application" name="app-name" format="jsonf")
    property(outname="process" name="procid" format="jsonf")
    property(outname="data" name="structured-data" format="jsonf")
    property(outname="text" name="msg" format="jsonf")
}}
ruleset(name="write") {{ action(type="omfile" file="{folder}/messages" template="json") }}
input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="write")
input(type="imudp" address="127.0.0.1" port="{udp}" rcvbufSize="4m" ruleset="write")
input(type="imuxsock" Socket="{folder}/socket" UseSpecialParser="off" ParseHostname="on"
      RateLimit.Interval="0" ruleset="write")
"""


SYSLOG_NG = """
@version: {version}
options {{ keep-hostname(yes); use-dns(no); stats-freq(0); }};
source incoming {{
    syslog(transport("tcp") ip("127.0.0.1") port({tcp}));
    syslog(transport("udp") ip("127.0.0.1") port({udp}) so-rcvbuf(4194304));
}};
destination json {{
    file("{folder}/messages" template("$(format-json severity=$LEVEL_NUM facility=$FACILITY_NUM time=$S_ISODATE \
host=$HOST application=$PROGRAM process=$PID data=$SDATA text=$MESSAGE)\\n"));
}};
destination plain {{ file("{folder}/plain"); }};
log {{ source(incoming); destination(json); destination(plain); }};
"""


class Receiver(Daemon):
    """A syslog daemon on ports of its own, and the messages that it has received, as JSON."""

    def __init__(self, folder: Path, program: str, *options: str) -> None:
        super().__init__(folder, program, *options)
        self.messages_file = folder / "messages"
        self.tcp, self.udp = free_port(), free_port(socket.SOCK_DGRAM)
        self.urls = {
            "tcp": f"tcp://127.0.0.1:{self.tcp}",
            "udp": f"udp://127.0.0.1:{self.udp}",
            "unix": f"unix://{folder}/socket",
        }

    def is_up(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.tcp)) == 0

    def messages(self) -> list[dict[str, Any]]:
        if not self.messages_file.exists():
            return []
        lines = self.messages_file.read_text("utf-8").split("\n")
        # Numbers as texts, which they are in all but the latest versions.
        return [{name: str(value) for name, value in json.loads(line).items()} for line in lines[:-1]]


class Rsyslogd(Receiver):
    line_end = "#012"  # its escape of a newline

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "rsyslogd", "-n", "-f", f"{folder}/rsyslog.conf", "-i", f"{folder}/pid")
        (folder / "rsyslog.conf").write_text(CONFIGURATION.format(folder=folder, tcp=self.tcp, udp=self.udp))

    def is_up(self) -> bool:
        return super().is_up() and (self.folder / "socket").exists()

    def stop(self, number: int = signal.SIGTERM) -> None:
        super().stop(number)
        (self.folder / "socket").unlink(missing_ok=True)


class SyslogNg(Receiver):
    line_end = "\n"

    def __init__(self, folder: Path) -> None:
        files = (
            "-f",
            f"{folder}/syslog-ng.conf",
            "-R",
            f"{folder}/persist",
            "-p",
            f"{folder}/pid",
            "-c",
            f"{folder}/ctl",
        )
        super().__init__(folder, "syslog-ng", "--foreground", "--no-caps", *files)
        about = subprocess.run(
            [self.command[0], "--version"], env=self.environment, capture_output=True, text=True, check=True
        )
        version = re.findall(r"^Config version: (\S+)", about.stdout, re.MULTILINE)
        configuration = SYSLOG_NG.format(
            folder=folder, tcp=self.tcp, udp=self.udp, version=version[0] if version else "3.38"
        )
        (folder / "syslog-ng.conf").write_text(configuration)


def started(receiver: Receiver) -> Iterator[Any]:
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def rsyslogd(tmp_path: Path) -> Iterator[Rsyslogd]:
    yield from started(Rsyslogd(tmp_path))


@pytest.fixture
def syslog_ng(tmp_path: Path) -> Iterator[SyslogNg]:
    yield from started(SyslogNg(tmp_path))


@pytest.fixture
def project(bake: Bake) -> Project:
    return bake(collector_handler="syslog", multiprocessing=False, email_handler=False, console_handler="none")


THOUSAND = """
import logging, time
from my_service.logging_setup import log_context, setup_main_logging
logger = logging.getLogger("my_service.shop")
LEVELS = [10, 20, 30, 40, 50]
with setup_main_logging(), log_context(order='1" ]2'):
    for number in range(1000):
        if number % 10 == 0:
            try:
                raise ValueError(f"first line {number}\\nsecond line")
            except ValueError:
                logger.exception("number %d\\nand more \\u20ac", number)
        else:
            logger.log(LEVELS[number % 5], "number %d", number)
        if number % 20 == 0:
            time.sleep(0.005)  # UDP cannot report that the sender is too fast
"""


class TestDelivery:
    """Transports and restarts."""

    @pytest.mark.parametrize(
        ("daemon", "transport"),
        [
            *(pytest.param("rsyslogd", each, marks=needs("rsyslogd")) for each in ("tcp", "udp", "unix")),
            *(pytest.param("syslog_ng", each, marks=needs("syslog-ng")) for each in ("tcp", "udp")),
        ],
    )
    def test_thousand_records_are_a_thousand_messages(
        self, project: Project, request: pytest.FixtureRequest, tmp_path: Path, daemon: str, transport: str
    ) -> None:
        receiver = request.getfixturevalue(daemon)
        end = receiver.line_end
        begun = time.time()
        ended = project.run(
            "-c", THOUSAND, cwd=tmp_path, LOG_COLLECTOR_URL=receiver.urls[transport], LOG_COLLECTOR_LEVEL="DEBUG"
        )
        assert ended.returncode == 0, ended
        wait_until(lambda: any("number 999" in message["text"] for message in receiver.messages()), "the last message")
        messages = receiver.messages()
        assert len(messages) == 1000
        severities = [7, 6, 4, 3, 2]
        for number, message in enumerate(messages):
            assert message["severity"] == str(3 if number % 10 == 0 else severities[number % 5])
            assert message["facility"] == "1"
            assert begun - 1 < datetime.fromisoformat(message["time"]).timestamp() < time.time() + 1
            assert message["host"] == socket.gethostname()
            assert message["application"] == "my-service"
            assert message["process"].isdecimal()
            assert 'logger="my_service.shop"' in message["data"]
            assert r'order="1\" \]2"' in message["data"]
            text = message["text"].strip()
            if number % 10:
                assert text == f"number {number}"
            else:
                assert text.startswith(f"number {number}{end}    and more \u20ac{end}    Traceback")
                assert text.endswith(f"ValueError: first line {number}{end}    second line")

    @needs("rsyslogd")
    @pytest.mark.parametrize("transport", ["tcp", "udp", "unix"])
    def test_rsyslogd_restarts_lose_no_record(self, project: Project, tmp_path: Path, transport: str) -> None:
        daemon = Rsyslogd(tmp_path)
        script = """
import logging, time
from pathlib import Path
from my_service.logging_setup import setup_main_logging
from my_service.logging_setup.sinks import background
background.LONGEST_PAUSE = 0.3
logger = logging.getLogger("my_service")
with setup_main_logging():
    for step in "absent", "there", "killed", "back":
        while not Path(step).exists():
            time.sleep(0.01)
        for number in range(20):
            logger.info("%s %d", step, number)
        Path(step).unlink()
"""
        process = project.start("-c", script, cwd=tmp_path, LOG_COLLECTOR_URL=daemon.urls[transport])

        def log(step: str) -> None:
            (tmp_path / step).touch()
            wait_until(lambda: not (tmp_path / step).exists() or process.poll() is not None, step)

        def await_all(*steps: str) -> None:
            wanted = {f"{step} {number}" for step in steps for number in range(20)}
            wait_until(lambda: wanted <= {message["text"].strip() for message in daemon.messages()}, f"{steps}")

        try:
            log("absent")
            daemon.start()
            await_all("absent")
            log("there")
            await_all("there")
            daemon.stop(signal.SIGKILL)
            log("killed")
            daemon.start()
            await_all("killed")
            log("back")
            await_all("back")
            assert process.communicate(timeout=20)[1] == ""
        finally:
            process.kill()
            daemon.stop()
        end = "those that the receiver had not read" if transport == "tcp" else "datagrams lost on the way"
        log_file = "".join(file.read_text("utf-8") for file in (tmp_path / "logs").glob("*.log"))
        assert f"delivery restored, 0 records dropped meanwhile, not counting {end}\n" in log_file  # case 78
        assert (
            len([m for m in daemon.messages() if " " in m["text"].strip() and m["text"].strip()[-1].isdecimal()]) >= 80
        )

    def test_tls_frames_messages_and_checks_certificates(self, project: Project, tmp_path: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        import ssl

        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(tls)
        script = """
import logging
from my_service.logging_setup import setup_main_logging
with setup_main_logging():
    logging.getLogger("my_service").info("one\\ntwo")
"""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = f"tls://localhost:{listening.getsockname()[1]}"
            process = project.start("-c", script, cwd=tmp_path, LOG_COLLECTOR_URL=url, LOG_COLLECTOR_CA_FILE="ca.pem")
            with tls.wrap_socket(listening.accept()[0], server_side=True) as connection:
                received = b"".join(iter(lambda: connection.recv(65536), b""))
            process.communicate(timeout=20)
        length, _, rest = received.partition(b" ")
        assert len(rest) == int(length)
        assert rest.endswith(b"] one\n    two")


FORGING = """
import logging
from my_service.logging_setup import setup_main_logging
with setup_main_logging():
    for number in range(100):
        try:
            raise ValueError("forged by an exception\\nJan  1 00:00:00 host sshd[1]: forged")
        except ValueError:
            logging.exception("number %d\\nJan  1 00:00:00 host sshd[1]: forged\\r\\n<13>1 - - - - - - forged", number)
"""


class TestMessages:
    """The text of a message."""

    @needs("syslog-ng")
    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    def test_message_line_is_not_a_separate_message(
        self, project: Project, syslog_ng: SyslogNg, tmp_path: Path, transport: str
    ) -> None:
        """Case 49: this receiver writes newlines unescaped."""
        ended = project.run("-c", FORGING, cwd=tmp_path, LOG_COLLECTOR_URL=syslog_ng.urls[transport])
        assert ended.returncode == 0, ended
        wait_until(lambda: len(syslog_ng.messages()) >= 100, "the last message")
        plain = tmp_path / "plain"
        wait_until(lambda: plain.read_text("utf-8").count("number ") >= 100, "the last message")
        lines = plain.read_text("utf-8").split("\n")[:-1]
        messages = [line for line in lines if not line.startswith("    ")]
        assert len(messages) == len(syslog_ng.messages()) == 100
        for number, message in enumerate(messages):
            assert re.match(rf"\w{{3}} .\d [\d:]+ \S+ my-service\[\d+\]: number {number}$", message), message
        assert sum("forged" in line for line in lines) >= 400

    def test_message_is_cut_to_the_receivers_limit(self, project: Project, tmp_path: Path) -> None:
        script = r"""
import logging
from my_service.logging_setup import setup_main_logging
with setup_main_logging():
    logging.getLogger("my_service").info("\u20ac" * 50_000, extra={f"key {n}": "\n" * 1000 for n in range(50)})
"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(20)
            url = f"udp://127.0.0.1:{receiver.getsockname()[1]}"
            project.run("-c", script, cwd=tmp_path, LOG_COLLECTOR_URL=url)
            text = receiver.recv(65536).decode("utf-8")
            while "\u20ac" not in text:  # a report of logging itself
                text = receiver.recv(65536).decode("utf-8")
        assert len(text.encode()) < 8_192
        assert text.endswith("bytes]")
