"""The wanted figures, compared with the measured ones: ratios and differences within one run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from .runs import Figures
from .scenarios import LISTENERS

Medians = dict[str, dict[str, dict[str, float]]]  # scenario -> case -> figure -> median
Results = dict[str, dict[str, list[Figures]]]  # scenario -> case -> figures of each turn

SAFE = ("textbook", "loguru", "concurrent", "logbook")
RATE = "records_per_second"


@dataclass(frozen=True)
class Claim:
    """`measured` must be at least, or at most, `wanted`; None: it was not measured."""

    scenario: str
    text: str
    wanted: float
    at_least: bool
    measured: float | None
    unit: str = ""

    @property
    def holds(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


def claims(medians: Medians, results: Results) -> list[Claim]:
    """Return each claim with its measured figure."""

    def value(scenario: str, case: str, figure: str) -> float:
        return medians[scenario][case][figure]

    def rate(scenario: str, case: str) -> float:
        return value(scenario, case, RATE)

    def best(scenario: str, peers: Iterable[str]) -> float:
        """Return the highest rate of these peers; those that failed have none."""
        return max(case[RATE] for name, case in medians[scenario].items() if name in peers and RATE in case)

    def least_of(scenario: str, peers: Iterable[str], figure: str) -> float:
        return min(case[figure] for name, case in medians[scenario].items() if name in peers and figure in case)

    def workers(most: bool) -> str:
        counts = [int(name.split("/")[1]) for name in medians["c"] if name.startswith("ours/") and "x" not in name]
        return f"ours/{max(counts) if most else 2}"

    def more(case: str, than: str) -> float:
        # Turn by turn: a slow moment of the machine adds more than the difference.
        turns = zip(results["g"][case], results["g"][than], strict=True)
        return median(one["ready_ms"] - other["ready_ms"] for one, other in turns)

    def ratio(figure: str, over: str) -> float:
        return value("a", "ours", figure) / value("a", over, figure)

    def debug(case: str) -> float:
        return value("h", case, "disabled_ns") / value("h", "plain", "disabled_ns")

    def memory() -> float:
        return value("c", "ours/2/x4", "listener_mb") / value("c", "ours/2/x1", "listener_mb")

    least, most = True, False
    rows: list[tuple[str, str, float, bool, Callable[[], float], str]] = [
        ("a", "records/s over the best safe peer's", 2.5, least, lambda: rate("a", "ours") / best("a", SAFE), ""),
        ("a", "records/s over loguru's", 4, least, lambda: ratio(RATE, "loguru"), ""),
        ("a", "records/s over the uncoordinated floor's", 0.8, least, lambda: ratio(RATE, "floor"), ""),
        ("a", "CPU a record over the textbook's", 0.55, most, lambda: ratio("cpu_us", "textbook"), ""),
        ("a", "caller's p50 over the textbook's", 0.85, most, lambda: ratio("p50_us", "textbook"), ""),
        ("a", "records/s over the uncoordinated floor's, issue 17", 1.0, least, lambda: ratio(RATE, "floor"), ""),
        ("a", "CPU a record over the textbook's, issue 17", 0.3, most, lambda: ratio("cpu_us", "textbook"), ""),
        ("a", "caller's p50 over the floor's (logging.FileHandler)", 0.55, most, lambda: ratio("p50_us", "floor"), ""),
        ("b", "records/s over the best peer's with a listener", 20, least,
         lambda: rate("b", "ours") / best("b", LISTENERS), ""),
        ("c", "records/s with the most workers over those with 2", 0.7, least,
         lambda: rate("c", workers(most=True)) / rate("c", workers(most=False)), ""),
        ("c", "listener's peak memory with 4 times the records", 1.05, most, memory, ""),
        ("f", "time a record over logging.FileHandler's", 1.15, most,
         lambda: rate("f", "plain") / rate("f", "ours"), ""),
        ("f", "time a record over logging.FileHandler's, issue 17", 0.8, most,
         lambda: rate("f", "plain") / rate("f", "ours"), ""),
        ("f", "records/s over the best of structlog, loguru and logly", 1, least,
         lambda: rate("f", "ours") / best("f", ("structlog", "loguru-direct", "logly")), ""),
        ("d3", "p99 over the best listener-based peer's at equal load", 1, most,
         lambda: value("d3", "ours", "p99_us") / least_of("d3", LISTENERS, "p99_us"), ""),
        ("g", "ready over the textbook's", 1.15, most,
         lambda: value("g", "ours", "ready_ms") / value("g", "textbook", "ready_ms"), ""),
        ("g", "ready, without multiprocessing, over logging.basicConfig's", 1.35, most,
         lambda: value("g", "ours-direct", "ready_ms") / value("g", "plain", "ready_ms"), ""),
        ("g", "first line in the file over the textbook's", 1.6, most,
         lambda: value("g", "ours", "written_ms") / value("g", "textbook", "written_ms"), ""),
        ("g", "import and set-up over the imports needed anyway", 15, most,
         lambda: more("ours", "needed:queue"), "ms"),
        ("g", "the same, without multiprocessing", 15, most,
         lambda: more("ours-direct", "needed:direct"), "ms"),
        ("g", "the first call returns before the listener has written: its end over the line's", 1, most,
         lambda: value("g", "ours", "returned_ms") / value("g", "ours", "written_ms"), ""),
        ("h", "a disabled debug call over logging's own", 1.05, most, lambda: debug("ours"), ""),
        ("h", "the same, without multiprocessing", 1.05, most, lambda: debug("ours-direct"), ""),
    ]  # fmt: skip
    return [Claim(*row[:4], _or_none(row[4]), row[5]) for row in rows]


def _or_none(measure: Callable[[], float]) -> float | None:
    try:
        return measure()
    except (KeyError, ValueError):  # the scenario was not run, or a peer failed in it
        return None
