"""Every record exactly once, and whole: the first thing that is measured of everybody."""

import re
from collections import Counter
from pathlib import Path

_RECORD = re.compile(r" id=(\d+)\.(\d+) (x*)$")


def judge(folder: Path, workers: int, each: int, size: int) -> str:
    """What is wrong with the log files in `folder`; empty: nothing."""
    found: Counter[tuple[int, int]] = Counter()
    torn = 0
    for file in folder.glob("app*.log"):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                match = _RECORD.search(line)
                if match and len(match[3]) == size:
                    found[int(match[1]), int(match[2])] += 1
                elif " id=" in line:
                    torn += 1
    expected = {(slot, number) for slot in range(workers) for number in range(each)}
    lost = len(expected - found.keys())
    doubled = sum(times > 1 for times in found.values())
    strange = len(found.keys() - expected)
    counts = {"lost": lost, "doubled": doubled, "torn": torn, "never logged": strange}
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
