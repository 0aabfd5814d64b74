"""A service whose processes log without end: levels.py <start method> <workers>; it ends once the file `end` exists.

Start methods: those of multiprocessing, `inherit` (forked, without a set-up of its own), `none` (no workers).
Each process logs numbered records at INFO, notes its calls in the file `notes`, and logs at DEBUG by three loggers. A
record "state <slot> <pid> <True or False>" follows each change of the level that is asked for.
"""

import logging
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

from numbered import Writer

from my_service import logging_setup

asked = logging.getLogger("my_service.db")
below = logging.getLogger("my_service.db.pool")  # its level is set by code: only sinks hold its records back
other = logging.getLogger("my_service.other")  # the same


def run(slot: int) -> None:
    writer = Writer(slot, notes="notes")
    below.setLevel(logging.DEBUG)
    other.setLevel(logging.DEBUG)
    state = None
    while not Path("end").exists():
        if state != (state := asked.isEnabledFor(logging.DEBUG)):
            logging.getLogger("my_service.state").info("state %d %d %s", slot, os.getpid(), state)
        writer.write()
        for each in (asked, below, other):
            each.debug("%s %d", each.name.rpartition(".")[2], slot)
        time.sleep(0.005)


def work(slot: int, queue: Any) -> None:
    if queue:
        logging_setup.setup_proc_logging(queue)
    run(slot)


def main() -> None:
    method, workers = sys.argv[1], int(sys.argv[2])
    os.dup2(os.open("console", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    with logging_setup.setup_main_logging() as logs:
        processes = []
        for slot in range(1, workers + 1):
            context: Any = multiprocessing.get_context({"inherit": "fork"}.get(method, method))
            queue = None if method == "inherit" else logs.queue
            processes.append(context.Process(target=work, args=(slot, queue)))
            processes[-1].start()
        run(0)
        for process in processes:
            process.join()


if __name__ == "__main__":
    main()
