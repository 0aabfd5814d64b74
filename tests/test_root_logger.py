"""Other code sets logging up too: libraries and frameworks beside the generated logging. FAILURES.md, case 43."""

import re
from pathlib import Path

import pytest
from conftest import Bake, Project
from mail_server import mail_server
from oracle import judge, log_lines
from receivers import HttpReceiver
from test_servers import free_port

COUNT = 100  # records before, and after
HEAD = """
import itertools, logging, logging.config, multiprocessing, sys, threading, time
from {package}.logging_setup import *
from numbered import Writer
""".strip()

CLOSE = 'logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})'

# Another thread logs on while logging is set up again and again.
BODY = """
    Writer(0).write(100)
    during, stop = Writer(1), threading.Event()
    def log_on():
        while not stop.is_set():
            during.write()
            time.sleep(0)
    thread = threading.Thread(target=log_on)
    thread.start()
    for time_of_it in itertools.count():
        reconfigure()
        time.sleep(0.001)
        if time_of_it > 20 and during.number > 50:
            break
    stop.set()
    thread.join()
    Writer(2).write(100)
    print("DURING", during.number)
"""
modes = pytest.mark.parametrize("mode", ["process", "thread", "direct"])


def bake_for(bake: Bake, mode: str, **answers: object) -> Project:
    return bake(multiprocessing=False, **answers) if mode == "direct" else bake(**answers)


def run(project: Project, folder: Path, code: str, mode: str, **variables: str) -> tuple[list[str], str, str]:
    """Run a program of HEAD and `code`; the lines of its log, its stdout and stderr."""
    apps = Path(__file__).with_name("apps")
    (folder / "app.py").write_text(HEAD.format(package=project.package) + "\n" + code, "utf-8")
    path = f"{project.path / 'src'}:{apps}:{folder}"
    options = {"LOG_FILE": "app.log", "LOG_CONSOLE_LEVEL": "60", "PYTHONPATH": path, **variables}
    if mode != "direct":
        options["LOG_LISTENER"] = mode
    done = project.run("app.py", cwd=folder, **options)
    assert done.returncode == 0, done.stderr
    return log_lines(folder / "app.log"), done.stdout, done.stderr


def reconfigured(how: str) -> str:
    return f"import io\ndef reconfigure():\n    {how}\n"


def assert_each_once(lines: list[str], output: str) -> None:
    verdict = judge(lines, {0: COUNT, 1: int(output.split()[-1]), 2: COUNT})
    assert verdict.good, verdict


class TestHandlersClosed:
    """logging.config closes every handler that exists, on the root logger or not."""

    @modes
    def test_file_mail_and_collector_lose_nothing(self, bake: Bake, tmp_path: Path, mode: str) -> None:
        project = bake_for(bake, mode, collector_handler="http")
        end = "    logging.getLogger('my_service').critical('alarm')\n    counts = logs.counts()['handlers']\n"
        code = f"{reconfigured(CLOSE)}if __name__ == '__main__':\n  with setup_main_logging() as logs:\n{BODY}{end}"
        code += "    assert not any(count['failed'] for count in counts.values()), counts\n"
        with mail_server(tls="none", auth=False) as mails, HttpReceiver() as collector:
            lines, output, _ = run(
                project, tmp_path, code, mode,
                LOG_COLLECTOR_URL=collector.url, LOG_EMAIL_HOST="localhost", LOG_EMAIL_PORT=str(mails.port),
                LOG_EMAIL_SECURITY="none", LOG_EMAIL_TO="ops@example.com",
            )  # fmt: skip
        assert_each_once(lines, output)
        assert len(mails.mails) == 1
        ids = [text for text in collector.texts if text.startswith("id=")]
        assert sorted(ids) == sorted(f"id={found[0]} ." for line in lines if (found := re.findall(r"id=(\S+)", line)))

    def test_a_closed_handler_counts_what_it_refuses(self, bake: Bake, tmp_path: Path) -> None:
        code = """
with setup_main_logging() as logs:
    email = logging.getHandlerByName("email") if hasattr(logging, "getHandlerByName") else logging._handlers["email"]
    type(email).close(email)
    logging.getLogger("my_service").critical("refused")
    print(email.lost, logs.counts()["handlers"]["email"])
"""
        lines, output, _ = run(
            bake_for(bake, "direct"), tmp_path, code, "direct", LOG_EMAIL_HOST="localhost", LOG_EMAIL_TO="a@b.example"
        )
        assert output == "1 {'handled': 0, 'failed': 1}\n"
        assert sum("email failed" in line for line in lines) == 1

    def test_a_handler_closed_by_stop_gets_no_reports(self, bake: Bake, tmp_path: Path) -> None:
        code = """
logs = setup_main_logging()
logging.getLogger("my_service").critical("never sent")
while "will be tried again" not in open("app.log").read():
    time.sleep(0.01)
[email] = [each for each in logging.getLogger().handlers if each.name == "email"]
email.finish_by(0)  # no time is left
email._thread.join()
logs.stop()
assert email.lost and not logs.counts()["handlers"]["email"]["failed"]
"""
        email = {"LOG_EMAIL_HOST": "localhost", "LOG_EMAIL_PORT": str(free_port()), "LOG_EMAIL_TO": "a@b.example"}
        lines, _, _ = run(bake_for(bake, "direct"), tmp_path, code, "direct", LOG_EMAIL_LEVEL="WARNING", **email)
        assert sum("there was no time left" in line for line in lines) == 1
        assert not any("it is closed" in line for line in lines)
