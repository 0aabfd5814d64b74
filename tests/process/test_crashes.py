"""Uncaught exceptions, and processes that crash or are killed: FAILURES.md, cases 6, 39, 40 and 42."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.project import Project
from tests.support.scripts import HEAD, Script

PROCESS_END = """
def work(queue):
    setup_proc_logging(queue)
    for number in range(1000):
        logger.info("number %d", number)
    {end}

if __name__ == "__main__":
    with setup_main_logging() as logs:
        worker = multiprocessing.Process(target=work, args=(logs.queue,), name="worker-x")
        worker.start()
        worker.join()
        log_exit(worker)
"""


class TestCrashes:
    """Processes that crash."""

    @pytest.mark.parametrize(
        ("end", "expected"),
        [
            ("os._exit(3)", "process: worker-x (pid {pid}) ended: status 3"),
            ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", "process: worker-x (pid {pid}) ended: SIGTERM"),
            ("os.kill(os.getpid(), signal.SIGSEGV); time.sleep(60)", "process: worker-x (pid {pid}) ended: SIGSEGV"),
        ],
        ids=["os._exit", "SIGTERM", "SIGSEGV"],
    )
    def test_crash_is_logged_after_the_records_before_it(
        self,
        script: Script,
        end: str,
        expected: str,
    ) -> None:
        lines = script(PROCESS_END.format(end=end))
        assert sum(" number " in line for line in lines) == 1000
        before, after = expected.split("{pid}")
        assert sum(before in line and after in line for line in lines) == 1

    def test_stack_of_fatal_signal_is_next_to_the_log(self, script: Script, tmp_path: Path) -> None:
        script(PROCESS_END.format(end="os.kill(os.getpid(), signal.SIGSEGV); time.sleep(60)"))
        fault = (tmp_path / "app.log.fault").read_text("utf-8")
        assert "Segmentation fault" in fault
        assert "in work" in fault

    def test_recursion_limit_and_nested_data_raise_nothing(self, script: Script) -> None:
        lines = script(
            """
deep = []
for _ in range(100_000):
    deep = [deep]

def recurse():
    logger.info("deeper")
    recurse()

logging.raiseExceptions = False
with setup_main_logging():
    logger.info("deep %s", deep)
    logger.info("deep", extra={"value": deep})
    try:
        recurse()
    except RecursionError:
        logger.exception("caught")
    logger.info("after")
""",
            LOG_CONSOLE_LEVEL="60",
        )
        assert any("caught" in line for line in lines)
        assert any(" after" in line for line in lines)


UNCAUGHT = {
    "the main thread": ("raise ValueError('not caught')", 1),
    "thread T-1": (
        "def f():\n        raise ValueError('not caught')\n"
        "    thread = threading.Thread(target=f, name='T-1')\n    thread.start()\n    thread.join()",
        0,
    ),
    "Bad.__del__": (
        "class Bad:\n        def __del__(self):\n            raise ValueError('not caught')\n    Bad()",
        0,
    ),
    "closing_fails": (
        "def closing_fails():\n        try:\n            yield\n        finally:\n"
        "            raise ValueError('not caught')\n    next(closing_fails())",
        0,
    ),
    "Task exception was never retrieved": (
        "import asyncio, gc\n    async def f():\n        raise ValueError('not caught')\n"
        "    async def main():\n        task = asyncio.create_task(f())\n        await asyncio.sleep(0)\n"
        "        await asyncio.sleep(0)\n        del task\n        gc.collect()\n    asyncio.run(main())",
        0,
    ),
}


class TestUncaught:
    """Uncaught exceptions, in any process."""

    @pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])
    @pytest.mark.parametrize("origin", list(UNCAUGHT))
    def test_uncaught_exception_is_logged_once_with_origin(
        self, bake: Callable[..., Project], tmp_path: Path, origin: str, multiprocessing: bool
    ) -> None:
        code, status = UNCAUGHT[origin]
        project = bake() if multiprocessing else bake(multiprocessing=False)
        (tmp_path / "app.py").write_text(
            (HEAD if multiprocessing else HEAD.replace(", setup_proc_logging", ""))
            + f"with setup_main_logging():\n    {code}\n",
            "utf-8",
        )
        run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_FILE_FORMAT="json")
        assert run.returncode == status, run.stderr
        entries = [json.loads(line) for line in (tmp_path / "app.log").read_text("utf-8").splitlines()]
        [entry] = [entry for entry in entries if "not caught" in entry.get("exception.message", "")]
        assert origin in entry["message"]
        assert entry["exception.type"] == "ValueError"

    def test_uncaught_exception_without_a_block_is_logged(self, script: Script) -> None:
        lines = script("setup_main_logging()\nraise ValueError('not caught')\n", status=1)
        assert sum("Uncaught exception in the main thread" in line for line in lines) == 1

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_exception_that_ends_a_worker_is_logged_once(self, script: Script, method: str) -> None:
        lines = script(
            f"""
def work(queue):
    setup_proc_logging(queue)
    raise ValueError("not caught")

if __name__ == "__main__":
    with setup_main_logging() as logs:
        worker = multiprocessing.get_context("{method}").Process(target=work, args=(logs.queue,), name="worker-x")
        worker.start()
        worker.join()
"""
        )
        assert sum("Uncaught exception in process worker-x" in line for line in lines) == 1
        assert sum("ValueError: not caught" in line for line in lines) == 1

    @pytest.mark.parametrize("fetched", [True, False])
    @pytest.mark.parametrize("pool", ["Pool", "ProcessPoolExecutor"])
    def test_exception_of_a_pool_job_is_logged_once(
        self,
        script: Script,
        pool: str,
        fetched: bool,
    ) -> None:
        make = {
            "Pool": "multiprocessing.Pool(1, setup_proc_logging, (logs.queue,))",
            "ProcessPoolExecutor": "ProcessPoolExecutor(1, initializer=setup_proc_logging, initargs=(logs.queue,))",
        }[pool]
        submit = {"Pool": "pool.apply_async(job)", "ProcessPoolExecutor": "pool.submit(job)"}[pool]
        fetch = {"Pool": "get()", "ProcessPoolExecutor": "result()"}[pool]
        wait = {"Pool": "wait()", "ProcessPoolExecutor": "exception()"}[pool]
        lines = script(
            f"""
from concurrent.futures import ProcessPoolExecutor

@logged
def job():
    raise ValueError("not caught")

if __name__ == "__main__":
    with setup_main_logging() as logs, {make} as pool:
        future = {submit}
        future.{fetch if fetched else wait}
""",
            status=1 if fetched else 0,
        )
        assert sum(" ERROR " in line and "Exception in job" in line for line in lines) == 1
        assert sum("Uncaught exception in the main thread" in line for line in lines) == fetched


ODD_STREAMS = [
    "sys.stderr = None",
    "sys.stdout = None",
    "sys.stderr.close()",
    "sys.stdout.close()",
    "sys.stdout = sys.stderr = None",
    "os.close(1)",
    "os.close(2)",
]


class TestStreams:
    """Warnings, and standard streams that are missing."""

    def test_warnings_reach_the_log(self, script: Script) -> None:
        lines = script("import warnings\nwith setup_main_logging():\n    warnings.warn('mind the gap')\n")
        assert sum("mind the gap" in line and "py.warnings" in line for line in lines) == 1

    @pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("odd", ODD_STREAMS)
    def test_missing_streams_do_not_affect_the_file(
        self, bake: Callable[..., Project], tmp_path: Path, odd: str, when: str, multiprocessing: bool
    ) -> None:
        project = bake() if multiprocessing else bake(multiprocessing=False)
        first, second = (odd, "") if when == "before" else ("", odd)
        body = f"""
{first}
with setup_main_logging():
    {second}
    logger.warning("one")
    logger.error("two %d", "not a number")
    logger.info("three")
"""
        (tmp_path / "app.py").write_text(
            (HEAD if multiprocessing else HEAD.replace(", setup_proc_logging", "")) + body, "utf-8"
        )
        project.run("app.py", cwd=tmp_path, LOG_FILE="app.log")
        text = (tmp_path / "app.log").read_text("utf-8")
        assert text.count(" one\n") == 1
        assert text.count(" two ") == 1
        assert text.count(" three\n") == 1

    def test_closed_streams_do_not_affect_the_file(self, project: Project, tmp_path: Path) -> None:
        import subprocess
        import sys

        command = f'"{sys.executable}" -m my_service >&- 2>&- <&-'
        run = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=tmp_path,
            env=project.environment(LOG_FILE="app.log"),
            check=False,
            timeout=60,
        )
        assert run.returncode == 0
        assert "Done" in (tmp_path / "app.log").read_text("utf-8")
