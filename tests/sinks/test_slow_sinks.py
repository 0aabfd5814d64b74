"""A sink that is 100 times too slow: it blocks nothing and takes bounded memory. FAILURES.md, case 16.

And the opposite: a main process that does not run does not delay the listener.
"""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from tests.support.network import wait_until
from tests.support.oracle import log_lines
from tests.support.processes import children
from tests.support.project import DEADLINE, Project
from tests.support.scripts import HEAD, with_handler

SLOW = """
import time
from .background import BackgroundHandler

class CustomHandler(BackgroundHandler[str]):
    def __init__(self):
        super().__init__("custom", batch=1)
    def payload(self, record):
        return record.getMessage()
    def deliver(self, batch):
        time.sleep(0.001)
"""

RECORDS = 100_000
FLOOD = f"""
with setup_main_logging() as logs:
    logs.flush()
    print("begin", flush=True)
    sys.stdin.read(1)
    for number in range({RECORDS}):
        logger.info("number %d %s", number, "x" * 100)
    assert logs.flush(50)
    counts = logs.counts()
    print(json.dumps(counts) if counts else "", flush=True)
    sys.stdin.read(1)
"""


def resident(pid: int) -> int:
    """Return the memory of a process, in kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def test_slow_sink_bounds_memory_and_loses_no_line(project: Project, tmp_path: Path) -> None:
    custom = with_handler(project, tmp_path, SLOW)
    (tmp_path / "app.py").write_text("import json\n" + HEAD + FLOOD, "utf-8")
    import sys

    environment = custom.environment(LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
    with subprocess.Popen(
        [sys.executable, "app.py"], cwd=tmp_path, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "begin\n"
        [listener] = children(process.pid)
        before = {pid: resident(pid) for pid in (process.pid, listener)}
        process.stdin.write("\n")
        process.stdin.flush()
        counts = json.loads(process.stdout.readline())
        grown = {pid: resident(pid) - before[pid] for pid in before}
        _, errors = process.communicate("\n", timeout=DEADLINE)
    assert (process.returncode, errors) == (0, "")
    print(f"\ngrown by {grown} kB, {counts}")
    assert max(grown.values()) < 20_000
    assert counts["dropped"] == 0
    lines = log_lines(tmp_path / "app.log")
    assert sum(" number " in line for line in lines) == RECORDS
    reports = [line for line in lines if "records dropped" in line]
    assert any("backlog is full" in line for line in reports)


def test_unread_console_does_not_affect_the_file(project: Project, tmp_path: Path) -> None:
    body = """
with setup_main_logging() as logs:
    logs.flush(60)  # the listener has started: that may take longer than LOG_QUEUE_TIMEOUT, and the pipe holds 1 MB
    for number in range(20000):
        logger.info("number %d %s", number, "x" * 100)
"""
    (tmp_path / "app.py").write_text(HEAD + body, "utf-8")
    # Drops would be due to a busy machine: the console must not block the listener at all.
    process = project.start("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_QUEUE_TIMEOUT="30")
    assert process.wait(DEADLINE) == 0
    until_gone = process.communicate(timeout=DEADLINE)[0]
    lines = log_lines(tmp_path / "app.log")
    assert sum(" number " in line for line in lines) == 20_000
    assert any(re.search(r" console: \d+ records", line) for line in lines)
    assert until_gone.count(" number ") < 20_000


STOPPED = """
def work(queue):
    setup_proc_logging(queue)
    for number in range(1000):
        logger.info("number %d", number)

if __name__ == "__main__":
    with setup_main_logging() as logs:
        worker = multiprocessing.Process(target=work, args=(logs.queue,))
        worker.start()
        os.kill(os.getpid(), signal.SIGSTOP)
        worker.join()
"""


def test_listener_writes_while_the_main_process_is_stopped(project: Project, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HEAD + STOPPED, "utf-8")
    process = project.start("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
    os.waitpid(process.pid, os.WUNTRACED)
    try:
        wait_until(lambda: sum(" number " in line for line in log_lines(tmp_path / "app.log")) == 1000)
    finally:
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
