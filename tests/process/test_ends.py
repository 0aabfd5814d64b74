"""The end of a process in its log and its fault file: FAILURES.md, cases 88 and 89."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.oracle import log_lines
from tests.support.project import DEADLINE, Project
from tests.support.scripts import HEAD

INSIDE = "with setup_main_logging():\n    {}"
AFTER = "setup_main_logging()\n{}"
WITH_THREAD = "with setup_main_logging():\n    threading.Thread(target=time.sleep, args=(0.2,)).start()\n    {}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"

queues = pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])


def run(bake: Callable[..., Project], folder: Path, code: str, multiprocessing: bool) -> tuple[int, str, list[str]]:
    """Run HEAD and `code`, and return the exit status, stderr, and the lines of the log on the process's end."""
    project = bake() if multiprocessing else bake(multiprocessing=False)
    head = HEAD if multiprocessing else HEAD.replace(", setup_proc_logging", "")
    (folder / "app.py").write_text(head + code, "utf-8")
    with project.start("app.py", cwd=folder, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60") as process:
        errors = process.communicate(timeout=DEADLINE)[1]
    return process.returncode, errors, [line for line in log_lines(folder / "app.log") if " process: " in line]


@queues
class TestLine:
    @pytest.mark.parametrize(
        ("form", "end", "status", "expected"),
        [
            (INSIDE, "sys.exit('no configuration')", 1, "ERROR .* process: ended: no configuration$"),
            (INSIDE, "sys.exit(3)", 3, "ERROR .* process: ended: status 3$"),
            (WITH_THREAD, "sys.exit('text')", 1, "ERROR .* process: ended: text$"),
            (INSIDE, "signal.raise_signal(signal.SIGINT)", -signal.SIGINT, "INFO .* process: ended: Ctrl-C$"),
            (AFTER, "signal.raise_signal(signal.SIGINT)", -signal.SIGINT, "INFO .* process: ended: Ctrl-C$"),
            (WITH_THREAD, "signal.raise_signal(signal.SIGINT)", -signal.SIGINT, "INFO .* process: ended: Ctrl-C$"),
            (INSIDE, "signal.raise_signal(signal.SIGTERM)", -signal.SIGTERM, "INFO .* process: ended: SIGTERM$"),
            (AFTER, "signal.raise_signal(signal.SIGTERM)", -signal.SIGTERM, "INFO .* process: ended: SIGTERM$"),
            (INSIDE, "signal.raise_signal(signal.SIGHUP)", -signal.SIGHUP, "INFO .* process: ended: SIGHUP$"),
        ],
    )
    def test_end_is_logged_in_one_line_with_its_cause(
        self, bake: Callable[..., Project], tmp_path: Path, form: str, end: str, status: int, expected: str,
        multiprocessing: bool,
    ) -> None:  # fmt: skip
        returned, _, [line] = run(bake, tmp_path, form.format(end), multiprocessing)
        assert returned == status
        assert re.search(expected, line), line

    @pytest.mark.parametrize("end", ["pass", "sys.exit()", "sys.exit(0)"])
    def test_ordinary_end_is_not_logged(
        self, bake: Callable[..., Project], tmp_path: Path, end: str, multiprocessing: bool
    ) -> None:
        assert run(bake, tmp_path, INSIDE.format(end), multiprocessing) == (0, "", [])

    def test_ignored_sighup_stays_ignored(
        self, bake: Callable[..., Project], tmp_path: Path, multiprocessing: bool
    ) -> None:
        code = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + INSIDE.format("signal.raise_signal(signal.SIGHUP)")
        assert run(bake, tmp_path, code, multiprocessing) == (0, "", [])

    @pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
    def test_signal_has_its_default_action_in_a_fork(
        self, bake: Callable[..., Project], tmp_path: Path, name: str, multiprocessing: bool
    ) -> None:
        code = f"""
with setup_main_logging():
    for _ in range(50):
        child = os.fork()
        if not child:
            if signal.getsignal(signal.{name}) is signal.SIG_DFL:
                signal.raise_signal(signal.{name})
            os._exit(5)
        assert os.waitpid(child, 0)[1] == signal.{name}
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""
        assert run(bake, tmp_path, code, multiprocessing) == (0, "", [])


def test_sigterm_does_not_wait_for_a_full_queue(project: Project, tmp_path: Path) -> None:
    """A log call may wait LOG_QUEUE_TIMEOUT for a listener that hangs; the line on the end may not."""
    code = """
with setup_main_logging() as logs:
    logs.flush()
    os.kill(logs._process.pid, signal.SIGSTOP)
    while logs.queue._write(b"\\0" * 512):
        pass
    print(logs._process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""
    (tmp_path / "app.py").write_text(HEAD + code, "utf-8")
    with project.start(
        "app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60", LOG_QUEUE_TIMEOUT="60"
    ) as process:
        assert process.stdout
        listener = int(process.stdout.readline().split()[-1])
        try:
            assert process.wait(timeout=20) == -signal.SIGTERM
        finally:
            os.kill(listener, signal.SIGKILL)


@queues
def test_next_start_logs_the_fault_of_the_last(
    bake: Callable[..., Project], tmp_path: Path, multiprocessing: bool
) -> None:
    fault = tmp_path / "app.log.fault"
    end = "print(os.getpid(), flush=True); os.kill(os.getpid(), signal.SIGSEGV); time.sleep(60)"
    assert run(bake, tmp_path, INSIDE.format("pass"), multiprocessing) == (0, "", [])
    assert run(bake, tmp_path, INSIDE.format(end), multiprocessing)[::2] == (-signal.SIGSEGV, [])
    text = fault.read_text("utf-8")
    assert re.match(rf"started {TIME} \(pid \d+\)\nstarted {TIME} \(pid \d+\)\nFatal Python error: Segm", text), text
    _, _, [line] = run(bake, tmp_path, INSIDE.format("pass"), multiprocessing)
    assert re.search(
        f"ERROR .* process: earlier run ended by a fatal signal, stack written at {TIME}: .*app.log.fault$", line
    )
    assert fault.read_text("utf-8").startswith(text)
    assert len(run(bake, tmp_path, INSIDE.format("pass"), multiprocessing)[2]) == 1, "reported once"
