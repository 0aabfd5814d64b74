"""Exactly once: what the log must hold, given what its writers say that they have logged.

Every record carries `id=<slot>.<number>`. A writer notes in shared memory, after each log call
that has returned, how many have (see apps/numbered.py); that memory outlives any kill. The one
call that was under way at a kill may or may not have got through.
"""

import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_RECORD = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d \w+ +\S+( \[[^]]*\])? id=(\d+)\.(\d+) (#*)\.$")


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a log; all empty: nothing."""

    lost: list[str]
    doubled: list[str]
    torn: list[str]
    seen: int

    @property
    def good(self) -> bool:
        """Each record once, whole, and nothing else."""
        return not (self.lost or self.doubled or self.torn)

    def __str__(self) -> str:
        return (
            f"{self.seen} records seen, {len(self.lost)} lost {self.lost[:3]}, "
            f"{len(self.doubled)} doubled {self.doubled[:3]}, {len(self.torn)} torn {self.torn[:3]}"
        )


def judge(lines: Iterable[str], returned: Mapping[int, int], size: int = 0) -> Verdict:
    """Compare the log's `lines` with how many calls have `returned` per slot; `size`: of the filler."""
    found: Counter[tuple[int, int]] = Counter()
    torn = []
    for line in lines:
        if "id=" not in line and "#" not in line:
            continue  # not one of ours: what logging reports of itself
        match = _RECORD.match(line.rstrip("\n"))
        if match and len(match[4]) == size:
            found[int(match[2]), int(match[3])] += 1
        else:
            torn.append(line[:200])
    expected = {(slot, number) for slot, count in returned.items() for number in range(count)}
    lost = [f"{slot}.{number}" for slot, number in sorted(expected - found.keys())]
    doubled = [f"{slot}.{number}" for (slot, number), times in sorted(found.items()) if times > 1]
    for slot, number in found:
        if number > returned.get(slot, -1):  # its call cannot have begun
            torn.append(f"{slot}.{number} was never logged")
    return Verdict(lost, doubled, torn, sum(found.values()))


def returned_calls(notes: Path) -> dict[int, int]:
    """What the writers have noted: slot -> calls that have returned."""
    data = notes.read_bytes()
    counts = struct.unpack(f"{len(data) // 8}q", data)
    return {slot: count for slot, count in enumerate(counts) if count}


def log_lines(file: Path) -> list[str]:
    """The lines of a log file, which is UTF-8 to the last byte; none while it does not exist."""
    if not file.exists():
        return []
    return file.read_text("utf-8").splitlines()
