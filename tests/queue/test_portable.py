"""The log queue for systems without such pipes, tested on Linux: PortableQueue in place of LogQueue."""

from pathlib import Path

from tests.support.project import Project
from tests.support.scripts import run_script

WORKERS = """
from my_service.logging_setup.queue import supervisor
supervisor.LogQueue = supervisor.PortableQueue

def work(queue, name):
    setup_proc_logging(queue)
    log(name)

def log(name):
    for number in range(100):
        logger.info("line %s %d", name, number)
    logger.info("line %s long %s", name, "x" * 20_000)

if __name__ == "__main__":
    with setup_main_logging() as logs:
        assert isinstance(logs.queue, supervisor.PortableQueue)
        before = logs.counts()["accepted"]
        workers = [
            multiprocessing.get_context(method).Process(target=work, args=(logs.queue, method))
            for method in ("fork", "spawn")
        ]
        for worker in workers:
            worker.start()
        log("main")
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        assert logs.flush(30)
        assert logs.counts()["accepted"] - before == 101
    assert not logs.flush(0.1)
    logger.info("line after the end")
"""


def test_portable_queue_passes_each_record_once(project: Project, tmp_path: Path) -> None:
    lines = run_script(project, tmp_path, WORKERS, LOG_LISTENER="thread", LOG_CONSOLE_LEVEL="60")
    names = [" ".join(line.partition(" line ")[2].split()[:2]) for line in lines if " line " in line]
    expected = [f"{name} {number}" for name in ("fork", "spawn", "main") for number in (*range(100), "long")]
    assert sorted(names) == sorted(expected)
