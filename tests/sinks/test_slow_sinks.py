"""A sink that is 100 times too slow: it blocks nothing and takes bounded memory. FAILURES.md, case 16.

And the opposite: an application that computes without pause does not slow the listener.
"""

import json
import re
import subprocess
from pathlib import Path

from tests.support.oracle import log_lines
from tests.support.processes import children
from tests.support.project import DEADLINE, Project
from tests.support.scripts import APPS, HEAD, with_handler

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


def test_slow_sink_costs_no_memory_and_no_line_of_the_file(project: Project, tmp_path: Path) -> None:
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
    for number in range(20000):
        logger.info("number %d %s", number, "x" * 100)
"""
    (tmp_path / "app.py").write_text(HEAD + body, "utf-8")
    process = project.start("app.py", cwd=tmp_path, LOG_FILE="app.log")
    assert process.wait(DEADLINE) == 0
    until_gone = process.communicate(timeout=DEADLINE)[0]
    lines = log_lines(tmp_path / "app.log")
    assert sum(" number " in line for line in lines) == 20_000
    assert any(re.search(r" console: \d+ records", line) for line in lines)
    assert until_gone.count(" number ") < 20_000


BUSY = """
import json
import re
records = {records}

def work(queue):
    (textbook_proc if {textbook} else setup_proc_logging)(queue)
    for number in range(records):
        logger.info("number %d", number)

if __name__ == "__main__":
    logs = textbook_main() if {textbook} else setup_main_logging()
    worker = multiprocessing.Process(target=work, args=(logs.queue,))
    worker.start()
    begin, done, last = time.time(), 0, 0
    # Computes without pause; only every half second or so it looks whether the last line is there.
    while not done:
        for number in range(10_000_000):
            last = (last * 31 + number) % 1_000_003
        with open("{file}", "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 200))
            done = b"number %d" % (records - 1) in file.read() or time.time() - begin > 40
    print(json.dumps(records / (os.stat("{file}").st_mtime - begin)), flush=True)
    os._exit(0)
"""


def test_busy_main_process_does_not_slow_the_listener(project: Project, tmp_path: Path) -> None:
    """Compared with the textbook's listener thread in the same process."""
    apps = str(APPS)
    rates: dict[bool, float] = {}
    for textbook, records in ((True, 4_000), (False, 80_000)):
        file = "storm.log" if textbook else "app.log"
        (tmp_path / file).touch()
        code = HEAD + "from storm import textbook_main, textbook_proc\n"
        code += BUSY.format(textbook=textbook, records=records, file=file)
        (tmp_path / "app.py").write_text(code, "utf-8")
        run = project.run(
            "app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60",
            PYTHONPATH=f"{project.path / 'src'}:{apps}",
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        rates[textbook] = json.loads(run.stdout)
    print(f"\nbusy main: {rates[False]:.0f} records a second, the textbook {rates[True]:.0f}")
    assert rates[False] > 5 * rates[True]  # 20 and more on an idle machine: see benchmarks
