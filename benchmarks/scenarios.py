"""The scenarios. A scenario has cases, and a case is one peer with one workload."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from . import startup
from .measure import Work
from .peers import PEERS
from .runs import Figures, Runner

WITH_QUEUE: Final = ("ours", "textbook", "loguru", "concurrent", "logbook", "floor")
THREADS: Final = ("ours", "plain", "loguru-direct", "logbook-direct", "logly")  # picologging hangs
ONE_PROCESS: Final = (*THREADS, "picologging", "structlog", "json-logger")
JSON: Final = ("ours", "loguru-direct", "structlog", "json-logger", "logly")
LISTENERS: Final = ("textbook", "loguru", "logbook")
BUSY: Final = {  # number of records that takes each peer about three seconds
    "ours": 300_000, "textbook": 4_000, "loguru": 16_000, "concurrent": 100_000, "logbook": 2_000, "floor": 300_000,
}  # fmt: skip

STARTS: Final = {
    "bare": "bare `import logging`",
    "needed:queue": "the needed modules of the standard library",
    "ours": "this template",
    "needed:direct": "the same, without multiprocessing",
    "ours-direct": "this template, without multiprocessing",
    "plain": "logging.basicConfig, one process",
    "textbook": "textbook",
    "loguru": "loguru, enqueue=True",
}
CALLS: Final = {
    "ours": "this template",
    "ours-direct": "this template, without multiprocessing",
    "plain": "logging",
    "loguru": "loguru",
    "logbook": "Logbook",
}

_BUSY: Final = (
    "The number of records is that of about three seconds, so that the capacity of a queue does not count as rate. "
    "How often a thread beside the computing one is scheduled changes from minute to minute, and its "
    "rate by a factor of five, so this table has three turns in each round."
)
_FEWER: Final = "Slow peers get fewer records: rates are compared, not times."
_SLOW: Final = (
    "It takes 1 ms a record; the clock stops when the file has every line. The lines of the slow sink are "
    "not compared: this template has a backlog of 10,000 records for it, drops older ones, and reports the number."
)
_STACK: Final = (
    "The same stack each time, as in a failing service. This template caches the text of a stack; "
    "the first time takes as long as with the others that use Python's `traceback`."
)
_PACED: Final = 5_000  # records a second of each of two senders: less than the slowest peer takes
_EQUAL: Final = (
    f"Each worker logs {_PACED:,} records a second, fewer than the slowest can take, so that no queue fills, and every "
    "call is timed."
)
_ALONE: Final = "Beyond FileHandler, this template masks secrets, prevents forged lines, and rolls over."
_JSON: Final = "Beside what all write, this template's lines have the thread, the place in the code, and the service."
_START: Final = (
    "Ready: logging is imported and set up. The file's first line is written by the listener, if there is one."
)


@dataclass(frozen=True)
class Case:
    """One row of a table."""

    key: str
    label: str
    run: Callable[[Runner], Figures]


@dataclass(frozen=True)
class Scenario:
    """One table. Its rows are run in turns."""

    letter: str
    title: str
    cases: tuple[Case, ...]
    note: str = ""
    turns: int = 1  # in a round: more if a turn is short, or varies much


def scenarios(scale: float, workers: tuple[int, ...]) -> list[Scenario]:
    """Return all scenarios; `scale` shortens them, `workers` are the numbers of workers of (c)."""

    def some(records: int) -> int:
        return max(200, int(records * scale) // 160 * 160)  # to be shared among up to 32 workers

    def case(key: str, peer: str, records: int, suffix: str = "", **more: Any) -> Case:
        work = Work(peer=peer, records=some(records), **more)
        return Case(key, PEERS[peer].title + suffix, lambda runner: runner.run(work))

    def all_with_queue(records: int, **more: Any) -> tuple[Case, ...]:
        return tuple(case(peer, peer, records, **more) for peer in WITH_QUEUE)

    busy = [case(p, p, BUSY[p], workers=1, busy=True) for p in WITH_QUEUE]
    grow = [case(f"{p}/{n}", p, 19_200, f", {n} worker{'s' * (n > 1)}", workers=n) for n in workers for p in WITH_QUEUE]
    more = [case(f"ours/2/x{x}", "ours", x * 19_200, f", 2 workers, {x} times the records") for x in (1, 4)]
    slow = [case(p, p, 20_000 if p == "ours" else 1_000, slow=True) for p in WITH_QUEUE]

    def one_process(peers: Iterable[str], **more: Any) -> tuple[Case, ...]:
        return tuple(case(p, p, 24_000, workers=0, **more) for p in peers if find_spec(PEERS[p].needs))

    starts = [Case(name, label, partial(startup.start, name=name)) for name, label in STARTS.items()]
    number = max(1000, int(40_000 * scale))
    calls = [Case(name, label, partial(startup.disabled, name=name, number=number)) for name, label in CALLS.items()]
    return [
        Scenario("a", "2 workers, main process idle", all_with_queue(120_000)),
        Scenario("b", "1 worker, main process computing in Python", tuple(busy), _BUSY, turns=3),
        Scenario("c", "from 1 worker to many", (*grow, *more)),
        Scenario("d1", "records of 8 kB, 2 workers", all_with_queue(6_000, size=8_000)),
        Scenario("d2", "records with a traceback, 2 workers", all_with_queue(4_000, traceback=True), _STACK),
        Scenario(
            "d3",
            "records of 8 kB, 2 workers, at equal load",
            all_with_queue(12_000, size=8_000, rate=_PACED),
            _EQUAL,
            turns=3,
        ),
        Scenario("e", "a second sink, 100 times too slow, 2 workers", tuple(slow), f"{_SLOW} {_FEWER}"),
        Scenario("f", "one process, no queue", one_process(ONE_PROCESS), _ALONE),
        Scenario("g", "start-up, from the start of the process", tuple(starts), _START, turns=5),
        Scenario("h", "a disabled debug call", tuple(calls), turns=5),
        Scenario("i", "lines of JSON, one process", one_process(JSON, json=True), _JSON),
        Scenario("j", "4 threads in one process", one_process(THREADS, threads=4)),
    ]
