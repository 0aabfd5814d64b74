"""Records of several processes arrive, each once."""

import collections
import logging
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from conftest import Run

from my_service.logging_setup import LogQueue, Settings, setup_proc_logging
from my_service.logging_setup.queue.encoding import decode
from my_service.logging_setup.queue.frames import AT_ONCE, FrameDecoder
from my_service.logging_setup.records.serialize import restore

APPLICATION = "my_service"
PROCESSES, RECORDS = 3, 20

logger = logging.getLogger("shop")


def work(queue: LogQueue, number: int) -> None:
    setup_proc_logging(queue)
    job(number)


def job(number: int) -> None:
    for count in range(RECORDS):
        logger.warning("record %d of %d", count, number)


@pytest.mark.skipif(sys.platform != "linux", reason="the pipe of LogQueue")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_each_record_of_each_process_arrives_once(method: str) -> None:
    queue = LogQueue(Settings())
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=work, args=(queue, number)) for number in range(PROCESSES)]  # type: ignore[attr-defined]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    with ProcessPoolExecutor(2, context, initializer=setup_proc_logging, initargs=(queue,)) as pool:
        list(pool.map(job, range(PROCESSES, 2 * PROCESSES)))
    arrived = collections.Counter(received(queue))
    queue.close()
    assert arrived == {f"record {count} of {n}": 1 for n in range(2 * PROCESSES) for count in range(RECORDS)}


def received(queue: LogQueue) -> list[str]:
    """Return the messages of all records in the queue."""
    os.set_blocking(queue.reader.fileno(), False)
    frames = FrameDecoder()
    messages: list[str] = []
    while read := queue.reader.read(AT_ONCE):
        messages += [restore(decode(data)).getMessage() for data in frames.records(read)]
    return messages


@pytest.mark.parametrize("listener", ["process", "thread"])
def test_records_of_workers_are_written(run: Run, tmp_path: Path, listener: str) -> None:
    result = run("-m", APPLICATION, LOG_LISTENER=listener, LOG_FILE=str(tmp_path / "app.log"))
    assert (result.returncode, result.stderr) == (0, "")
    assert_each_once((tmp_path / "app.log").read_text("utf-8"))
    assert_each_once(result.stdout)


def assert_each_once(log: str) -> None:
    for message in ("Worker 1 starts", "Worker 2 starts", "Job 0", "Job 1", "Job 2", "Pool results: [0, 1, 4]", "Done"):
        assert log.count(message) == 1, f"{message!r} not once in:\n{log}"
