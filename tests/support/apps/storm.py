"""Workers that log as fast as they can, to be killed: storm.py <options as JSON>.

    method   fork, spawn or forkserver
    workers  how many at a time
    size     of each record's filler, in characters
    kills    how many workers this process kills, starting a new one for each
    seconds  how long the workers log after that; 0: until this process has ended
    textbook log as the standard library's cookbook shows, to prove that the harness can fail

Prints events to stdout, a JSON object a line: when the workers are at work, and how it ended.
"""

import json
import logging
import logging.handlers
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from numbered import Writer, make_notes

from my_service.logging_setup import log_exit, setup_main_logging, setup_proc_logging

NOTES = "notes"
HUNG_AFTER = 5.0  # seconds without a record from a worker


def textbook_main() -> Any:
    queue: Any = multiprocessing.get_context("spawn").Queue()
    handler = logging.FileHandler("storm.log", encoding="utf-8")
    line = "%(asctime)s+00:00 %(levelname)s %(name)s %(message)s"
    handler.setFormatter(logging.Formatter(line, "%Y-%m-%dT%H:%M:%S"))
    listener = logging.handlers.QueueListener(queue, handler)
    listener.queue = queue
    listener.start()
    return listener


def textbook_proc(queue: Any) -> None:
    logging.getLogger().handlers[:] = [logging.handlers.QueueHandler(queue)]
    logging.getLogger().setLevel(logging.INFO)


def work(queue: Any, textbook: bool, slot: int, size: int, seconds: float, parent: int) -> None:
    (textbook_proc if textbook else setup_proc_logging)(queue)
    writer = Writer(slot, size, NOTES)
    longest, end = 0.0, time.monotonic() + seconds if seconds else float("inf")
    while time.monotonic() < end and (seconds or os.getppid() == parent):
        before = time.perf_counter()
        writer.write()
        longest = max(longest, time.perf_counter() - before)
    writer.write(500)  # an orphan keeps logging for a while
    dropped = getattr(logging.getLogger().handlers[0], "dropped", 0)
    Path(f"worker-{slot}.json").write_text(json.dumps({"longest": longest, "dropped": dropped}), "utf-8")


def wait_for_first_record(notes: memoryview, slot: int) -> bool:
    until = time.monotonic() + HUNG_AFTER
    while time.monotonic() < until:
        if notes[slot]:
            return True
        time.sleep(0.0005)
    return False


def main() -> None:
    options = json.loads(sys.argv[1])
    textbook = options.get("textbook", False)
    make_notes(NOTES)
    context = multiprocessing.get_context(options["method"])
    logs = textbook_main() if textbook else setup_main_logging()
    notes = Writer(0, notes=NOTES).notes or memoryview(b"")
    slots = iter(range(1, 4096))

    def start(seconds: float) -> tuple[int, BaseProcess]:
        slot = next(slots)
        parent = 0 if options["method"] == "forkserver" else os.getpid()
        args = (logs.queue, textbook, slot, options["size"], seconds, parent)
        process = context.Process(target=work, args=args)
        process.start()
        return slot, process

    kills, seconds = options.get("kills", 0), options.get("seconds", 0.0)
    # Workers to be killed log without end, others for some seconds or until they are orphans.
    running = [start(3600.0 if kills else seconds) for _ in range(options["workers"])]
    hangs = sum(not wait_for_first_record(notes, slot) for slot, _ in running)
    send_event(event="at work", workers=[process.pid for _, process in running])
    for _ in range(kills):
        _, victim = running.pop(random.randrange(len(running)))
        time.sleep(random.uniform(0, 0.02))
        os.kill(victim.pid or 0, signal.SIGKILL)
        victim.join()
        if not textbook:
            log_exit(victim)
        running.append(start(3600.0))
        if not wait_for_first_record(notes, running[-1][0]):
            hangs += 1
            if hangs >= 3:
                break
    for _, process in running:
        if kills:
            process.kill()
        process.join()
    before = time.monotonic()
    end = threading.Thread(target=logs.stop, daemon=True)  # it may never arrive with the textbook's pattern
    end.start()
    end.join(HUNG_AFTER)
    send_event(event="end", hangs=hangs, stopped_within=time.monotonic() - before)
    if textbook:
        sys.stdout.flush()
        os._exit(0)  # its own shutdown could hang


def send_event(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
