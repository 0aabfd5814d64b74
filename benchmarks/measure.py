"""One run, in a process of its own: workers log numbered records, every line is checked, figures are printed.

The clock runs from the first worker's first record until the last line is in the file. CPU is
that of all processes in this time. One call in ten is timed, so that timing does not dominate.
"""

import json
import multiprocessing
import os
import sys
import threading
import time
from array import array
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, Final

from tests.support.oracle import ANY_PREFIX, judge

from .peers import PEERS, Peer

TIMED: Final = 10  # one call in this many is timed


@dataclass(frozen=True, kw_only=True)
class Work:
    """The records of a run, and the processes that log them."""

    peer: str
    records: int  # of all workers together
    workers: int = 2  # 0: the main process logs, and there are no others
    size: int = 60  # characters of filler per record
    traceback: bool = False
    busy: bool = False  # the main process computes in Python meanwhile
    slow: bool = False  # there is a second sink, 100 times too slow
    json: bool = False  # JSON lines
    threads: int = 1  # that log, if there are no workers
    rate: int = 0  # records a second of each worker; 0: as many as it can

    @property
    def each(self) -> int:
        """Records per worker or thread."""
        return self.records // len(self.slots)

    @property
    def slots(self) -> range:
        return range(self.workers or self.threads)


def log_all(peer: Peer, work: Work, slot: int) -> dict[str, Any]:
    """Log one worker's share; return its start time, its CPU time, and the durations of calls."""
    plain, with_traceback = peer.calls()
    log, template, filler, clock = plain, peer.template, "x" * work.size, time.perf_counter_ns
    times = array("q")
    if work.traceback:
        log = _raising(with_traceback)
    # For the test of the oracle: one record is withheld, or logged twice.
    sabotage = os.environ.get("SABOTAGE", "") if slot == 0 else ""
    end = work.each - (sabotage == "withhold")
    began, cpu = time.perf_counter(), time.process_time()
    if work.rate:
        _log_paced(log, work.rate, [(template, slot, number, filler) for number in range(end)], times)
        end = 0
    for first in range(0, end, TIMED):
        before = clock()
        log(template, slot, first, filler)
        times.append(clock() - before)
        for number in range(first + 1, min(first + TIMED, end)):
            log(template, slot, number, filler)
    if sabotage == "double":
        log(template, slot, 0, filler)
    peer.leave()
    return {"began": began, "cpu": time.process_time() - cpu, "peak": peak(), "times": times.tobytes()}


def _log_paced(log: Any, rate: int, calls: list[tuple[object, ...]], times: "array[int]") -> None:
    """Call `log` `rate` times a second, and append the duration of each call."""
    due = time.perf_counter()
    for args in calls:
        due += 1 / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        before = time.perf_counter_ns()
        log(*args)
        times.append(time.perf_counter_ns() - before)


def _raising(log: Any) -> Any:
    def call(*args: object) -> None:
        try:
            _deep(5)
        except ValueError:
            log(*args)

    return call


def _deep(levels: int) -> None:
    if levels == 0:
        raise ValueError("no such order")
    _deep(levels - 1)


def worker(work: Work, handle: Any, slot: int, ready: Any, reports: Any) -> None:
    """Run a worker process."""
    peer = PEERS[work.peer](Path.cwd(), slow=work.slow, json=work.json)
    peer.join(handle)
    ready.wait()
    reports.put(log_all(peer, work, slot))


def run(work: Work) -> dict[str, Any]:
    """Run the main process, and return the figures."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.measure"])
    peer = PEERS[work.peer](Path.cwd(), slow=work.slow, json=work.json)
    handle = peer.start(context)
    if not work.workers:
        peer.join(handle)
    found: dict[str, Any] = {}

    def measure() -> None:
        listener = peer.listener()
        if work.workers:
            begin = _start_workers(context, work, handle)
            cpu = _cpu(listener)
            reports = begin()
        elif work.threads > 1:
            cpu = _cpu(listener)
            with ThreadPoolExecutor(work.threads) as pool:
                reports = list(pool.map(partial(log_all, peer, work), work.slots))
        else:
            cpu = _cpu(listener)
            reports = [log_all(peer, work, 0)]
        peer.finish(work.records)
        found["ended"] = time.perf_counter()
        # If there is only one process, its CPU time includes that of logging.
        found["cpu"] = _cpu(listener) - cpu + (sum(each["cpu"] for each in reports) if work.workers else 0)
        found["peaks"] = [peak(), *(each["peak"] for each in reports if work.workers)]
        found["listener"] = listener
        found["listener_peak"] = peak(listener) if listener else None
        found["reports"] = reports

    if work.busy:
        thread = threading.Thread(target=measure)
        thread.start()
        while thread.is_alive():
            sum(number * number for number in range(1000))
    else:
        measure()
    return _figures(work, found)


def _start_workers(context: BaseContext, work: Work, handle: Any) -> Any:
    reports = context.SimpleQueue()
    ready = context.Barrier(work.workers + 1)
    for slot in range(work.workers):
        context.Process(target=worker, args=(work, handle, slot, ready, reports), daemon=True).start()

    def begin() -> list[dict[str, Any]]:
        ready.wait()
        return [reports.get() for _ in range(work.workers)]

    return begin


def _figures(work: Work, found: dict[str, Any]) -> dict[str, Any]:
    seconds = found["ended"] - min(each["began"] for each in found["reports"])
    times = sorted(time for each in found["reports"] for time in array("q", each["times"]))
    peaks = found["peaks"] + [found["listener_peak"] or 0]
    expected = dict.fromkeys(work.slots, work.each)
    return {
        "records_per_second": work.records / seconds,
        # A main process that computes uses all CPU it can get, so the figure has no meaning.
        "cpu_us": None if work.busy else found["cpu"] / work.records * 1e6,
        "p50_us": _percentile(times, 0.5),
        "p99_us": _percentile(times, 0.99),
        "p999_us": _percentile(times, 0.999),
        "memory_mb": sum(peaks) / 1024,
        # Where the listener is a thread, its memory is the main process's.
        "listener_mb": (found["listener_peak"] or peaks[0]) / 1024,
        "listener": found["listener"],
        "wrong": judge(_logged(Path.cwd()), expected, work.size, pattern=ANY_PREFIX, under_way=0).wrong,
    }


def _logged(folder: Path) -> Iterator[str]:
    """Read the lines of all log files in `folder`."""
    for file in folder.glob("app*.log"):
        with file.open(encoding="utf-8") as lines:
            yield from lines


def _percentile(times: list[int], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))] / 1000


def _cpu(listener: int | None) -> float:
    """Return seconds of CPU of this process and of the listener process, by their POSIX clock numbers."""
    clocks: Iterable[int] = (~listener << 3 | 2,) if listener else ()
    return time.process_time() + sum(time.clock_gettime(clock) for clock in clocks)


def peak(process: int | None = None) -> int:
    """Return the peak memory of a process, in kilobytes."""
    status = Path(f"/proc/{process or 'self'}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def main() -> None:
    """Run the work in the argument, and end without waiting for the backlog of a slow sink."""
    figures = run(Work(**json.loads(sys.argv[1])))
    print(json.dumps(figures), flush=True)
    os._exit(0)
