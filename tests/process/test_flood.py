"""Flood control (LOG_REPEAT): each line of code is limited, drops are counted, and nothing else changes."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.project import Bake, Project
from tests.support.scripts import HEAD, Script, with_handler

queue_or_not = pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])
REPEATED = re.compile(r" flood control: (\S+) repeated (\d+) times, not logged: LOG_REPEAT=(\S+)$")

# The three paths of a record: a fast logger's, that of `logging`, and the root logger's.
FLOOD = """
def flood(records=100):
    for number in range(records):
        logger.info("fast %d", number)
        logger.warning("usual %d", number, extra={"part": number})
        logging.info("root %d", number)
"""


def run(project: Project, folder: Path, body: str, **variables: str) -> list[str]:
    """Run FLOOD and `body`, and return the lines of the log file; those of the console have to be the same."""
    (folder / "app.py").write_text(
        (HEAD if (project.logging / "queue").exists() else HEAD.replace(", setup_proc_logging", "")) + FLOOD + body,
        "utf-8",
    )
    done = project.run("app.py", cwd=folder, LOG_FILE="app.log", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    lines = (folder / "app.log").read_text("utf-8").splitlines()
    assert sorted(done.stdout.splitlines()) == sorted(lines)
    return lines


def repeated(lines: list[str]) -> list[int]:
    """Return the numbers of the reports in `lines`."""
    return [int(found[2]) for line in lines if (found := REPEATED.search(line))]


def words(lines: list[str]) -> Counter[str]:
    """Return how many records each line of FLOOD has written."""
    return Counter(re.findall(r" (fast|usual|root) \d+(?: part=\d+)?$", "\n".join(lines), re.MULTILINE))


@queue_or_not
class TestLimit:
    def test_line_of_code_is_limited_and_counted(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        lines = run(
            bake(multiprocessing=multiprocessing),
            tmp_path,
            "with setup_main_logging():\n    flood()\n",
            LOG_REPEAT="3/60s",
        )
        reports = [line.split(maxsplit=1)[1] for line in lines if REPEATED.search(line)]
        assert words(lines) == {"fast": 3, "usual": 3, "root": 3}
        first = 1 + (tmp_path / "app.py").read_text("utf-8").split('logger.info("fast')[0].count("\n")
        rest = "repeated 97 times, not logged: LOG_REPEAT=3/60s"
        assert reports == [
            f"INFO     my_service.app flood control: app.py:{first} {rest}",
            f"WARNING  my_service.app flood control: app.py:{first + 1} {rest}",
            f"INFO     root flood control: app.py:{first + 2} {rest}",
        ]

    def test_critical_records_are_never_limited(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        body = """
with setup_main_logging():
    for number in range(50):
        logger.critical("fast")
        logging.critical("root")
"""
        lines = run(bake(multiprocessing=multiprocessing), tmp_path, body, LOG_REPEAT="1/60s")
        assert sum(" CRITICAL " in line for line in lines) == 100
        assert repeated(lines) == []

    def test_records_without_a_line_go_by_template(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        body = """
with setup_main_logging():
    logging._srcfile = None  # as its documentation advises, for speed
    for number in range(10):
        logger.info("a %d", number, extra={"part": 1})
        logger.info("b %d", number, extra={"part": 1})
        logger.info({"number": number}, extra={"part": 1})
"""
        lines = run(bake(multiprocessing=multiprocessing), tmp_path, body, LOG_REPEAT="2/60s")
        assert [sum(f" my_service.app {name} " in line for line in lines) for name in "ab"] == [2, 2]
        assert [REPEATED.search(line)[1] for line in lines if "flood control" in line] == ["my_service.app"] * 2  # type: ignore[index]
        assert repeated(lines) == [8, 8]

    def test_count_is_exact_over_threads(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        """Also across the ends of windows."""
        body = """
def work():
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        logger.info("fast")
        numbers.append(1)

numbers = []
with setup_main_logging():
    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    logger.critical("%d in all", len(numbers))
"""
        lines = run(bake(multiprocessing=multiprocessing), tmp_path, body, LOG_REPEAT="5/1s")
        written = sum(line.endswith(" fast") for line in lines)
        (total,) = (int(line.split()[-3]) for line in lines if line.endswith(" in all"))
        assert written + sum(repeated(lines)) == total
        assert written == 10


def test_what_a_sink_logs_itself_is_not_counted(bake: Bake, tmp_path: Path) -> None:
    """Such records are discarded, with LOG_REPEAT and without."""
    source = """
import logging
from .background import BackgroundHandler

class CustomHandler(BackgroundHandler[str]):
    def __init__(self):
        super().__init__("custom", batch=1)

    def payload(self, record):
        return record.getMessage()

    def deliver(self, batch):
        for _ in range(50):
            logging.getLogger("library").info("delivered")
"""
    project = with_handler(bake(multiprocessing=False), tmp_path, source)
    lines = run(project, tmp_path, "with setup_main_logging():\n    flood(2)\n", LOG_REPEAT="10/60s")
    assert words(lines) == {"fast": 2, "usual": 2, "root": 2}
    assert [line for line in lines if "library" in line or "flood control" in line] == []


@queue_or_not
class TestWindow:
    def test_next_record_reports_the_last_window(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        body = """
with setup_main_logging() as logs:
    flood(5)
    time.sleep(1.1)
    with log_context(request_id="7"):
        logger.info("other line")
    flood(1)
"""
        lines = run(bake(multiprocessing=multiprocessing), tmp_path, body, LOG_REPEAT="2/1s")
        assert [line for line in lines if "request_id" in line] == [line for line in lines if "other line" in line]
        assert repeated(lines) == [3, 3, 3]
        assert ["flood control" in line for line in lines[-7:]] == [True] * 3 + [False] * 4

    def test_flush_reports_only_a_window_that_ended(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        body = """
with setup_main_logging() as logs:
    flood(5)
    logs.flush()
    assert "flood control" not in open("app.log").read()
    time.sleep(1.1)
    logs.flush()
    assert "flood control" in open("app.log").read()
"""
        assert repeated(run(bake(multiprocessing=multiprocessing), tmp_path, body, LOG_REPEAT="2/1s")) == [3, 3, 3]


class TestWorkers:
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_worker_reports_at_its_end(self, script: Script, method: str) -> None:
        """Each worker counts its own drops; a forked one does not count its parent's."""
        body = f"""
def work(queue):
    setup_proc_logging(queue)
    flood()

if __name__ == "__main__":
    with setup_main_logging() as logs:
        flood(50)
        worker = multiprocessing.get_context("{method}").Process(target=work, args=(logs.queue,), name="worker")
        worker.start()
        worker.join()
"""
        lines = script(FLOOD + body, LOG_REPEAT="10/60s")
        assert repeated([line for line in lines if "[worker]" in line]) == [90, 90, 90]
        assert repeated([line for line in lines if "[worker]" not in line]) == [40, 40, 40]

    def test_workers_of_a_pool_report_at_their_end(self, script: Script) -> None:
        body = """
if __name__ == "__main__":
    with setup_main_logging() as logs:
        with multiprocessing.get_context("spawn").Pool(2, setup_proc_logging, (logs.queue,)) as pool:
            pool.map(flood, [50] * 4, chunksize=1)
            pool.close()
            pool.join()
"""
        lines = script(FLOOD + body, LOG_REPEAT="10/60s")
        assert sum(repeated(lines)) + sum(words(lines).values()) == 600

    def test_forked_child_without_setup_reports_at_exit(self, script: Script) -> None:
        body = """
setup_main_logging()
flood(50)
worker = multiprocessing.get_context("fork").Process(target=flood, name="worker")
worker.start()
worker.join()
"""
        lines = script(FLOOD + body, LOG_REPEAT="10/60s")
        assert repeated([line for line in lines if "[worker]" in line]) == [90, 90, 90]
        assert repeated([line for line in lines if "[worker]" not in line]) == [40, 40, 40]


class TestSetting:
    def test_no_limit_is_the_default(self, project: Project, tmp_path: Path) -> None:
        body = "with setup_main_logging() as logs:\n    flood()\n"
        body += "    assert 'handle' not in vars(logging.root.handlers[0]) and logs.deliver.__name__ == 'deliver'\n"
        lines = run(project, tmp_path, body)
        assert words(lines) == {"fast": 100, "usual": 100, "root": 100}

    @pytest.mark.parametrize("value", ["10", "10/60", "0/60s", "10/0s", "-1/60s", "10/60m", "many"])
    def test_bad_value_is_refused(self, project: Project, tmp_path: Path, value: str) -> None:
        done = project.run("-m", "my_service.logging_setup", cwd=tmp_path, LOG_REPEAT=value)
        assert done.returncode == 2
        expected = "must be a number of records / a number of seconds, for example 10/60s"
        assert f"LOG_REPEAT={value!r}: {expected}" in done.stderr

    def test_doctor_shows_it(self, project: Project, tmp_path: Path) -> None:
        done = project.run("-m", "my_service.logging_setup", cwd=tmp_path, LOG_REPEAT="10/60s")
        assert re.search(r"LOG_REPEAT +10/60s", done.stdout)
