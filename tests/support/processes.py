"""Processes of this machine, read from /proc, and a process namespace to run one in."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project import DEADLINE


def pids() -> Iterator[int]:
    return (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def working_folder(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""


def children(parent: int) -> list[int]:
    found = []
    for pid in pids():
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        state, ppid = status.rpartition(")")[2].split()[:2]
        if int(ppid) == parent and state != "Z":
            found.append(pid)
    return found


def first_process(*options: str) -> list[str]:
    """Return a prefix that makes a command process 1 of a process namespace; skip the test if that is not possible.

    `options` of unshare(1): further namespaces.
    """
    for command in (["unshare"], ["unshare", "--user", "--map-root-user"]):
        command += ["--pid", "--fork", "--kill-child", *options]
        try:
            subprocess.run([*command, "true"], capture_output=True, timeout=DEADLINE, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    pytest.skip("process namespaces cannot be had here")
