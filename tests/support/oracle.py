"""Compare a log with the records that its writers have logged: each once, and complete. Also used by `benchmarks/`.

Every record carries `id=<slot>.<number>` and a filler of known length. A writer of the tests notes in shared memory,
after each log call that has returned, how many have (apps/numbered.py); that memory outlives any kill. The one call
that was under way at a kill may or may not have got through.
"""

import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# The whole line, as a generated project writes it.
_GENERATED = re.compile(
    r"^\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d \w+ +\S+(?: \[[^]]*\])? id=(?P<slot>\d+)\.(?P<number>\d+) (?P<filler>#*)\.$"
)
# The end of a line, or a text in a line of JSON, whatever the library that wrote it puts before.
ANY_PREFIX = re.compile(r"""[ "]id=(?P<slot>\d+)\.(?P<number>\d+) (?P<filler>x*)(?:|\\?".*\})$""")


@dataclass(frozen=True)
class Verdict:
    """The faults of a log."""

    lost: list[str]
    doubled: list[str]
    torn: list[str]
    never_logged: list[str]
    seen: int

    @property
    def good(self) -> bool:
        """Return True if each record is there once, whole, and nothing else is."""
        return not self.wrong

    @property
    def wrong(self) -> str:
        """The number of records of each fault, such as "1 lost, 2 torn"; empty if there is none."""
        faults = {"lost": self.lost, "doubled": self.doubled, "torn": self.torn, "never logged": self.never_logged}
        return ", ".join(f"{len(found)} {fault}" for fault, found in faults.items() if found)

    def __str__(self) -> str:
        return (
            f"{self.seen} records seen, {len(self.lost)} lost {self.lost[:3]}, "
            f"{len(self.doubled)} doubled {self.doubled[:3]}, {len(self.torn)} torn {self.torn[:3]}, "
            f"{len(self.never_logged)} never logged {self.never_logged[:3]}"
        )


def judge(
    lines: Iterable[str],
    returned: Mapping[int, int],
    size: int = 0,
    *,
    pattern: re.Pattern[str] = _GENERATED,
    under_way: int = 1,
) -> Verdict:
    """Compare the log's `lines` with how many calls have `returned` for each slot.

    `size` is the length of the filler; `under_way`, how many further records of a slot are allowed, not required.
    """
    found: Counter[tuple[int, int]] = Counter()
    torn = []
    for line in lines:
        if "id=" not in line and "#" not in line:
            continue  # not a numbered record: a report of logging itself, or a traceback
        match = pattern.search(line.rstrip("\n"))
        if match and len(match["filler"]) == size:
            found[int(match["slot"]), int(match["number"])] += 1
        else:
            torn.append(line[:200])
    expected = {(slot, number) for slot, count in returned.items() for number in range(count)}
    return Verdict(
        lost=_names(expected - found.keys()),
        doubled=_names(record for record, times in found.items() if times > 1),
        torn=torn,
        never_logged=_names((slot, n) for slot, n in found if n >= returned.get(slot, 0) + under_way),
        seen=sum(found.values()),
    )


def _names(records: Iterable[tuple[int, int]]) -> list[str]:
    return [f"{slot}.{number}" for slot, number in sorted(records)]


def returned_calls(notes: Path) -> dict[int, int]:
    """Read how many calls of each slot have returned, as its writer has noted."""
    data = notes.read_bytes()
    counts = struct.unpack(f"{len(data) // 8}q", data)
    return {slot: count for slot, count in enumerate(counts) if count}


def log_lines(file: Path) -> list[str]:
    """Read the lines of a log file, which is UTF-8 to the last byte; none while it does not exist."""
    if not file.exists():
        return []
    return file.read_text("utf-8").splitlines()
