"""Open the log file and the files next to it, in a folder that other users of the machine may write to."""

import os
import stat
from typing import Final

# O_NONBLOCK: opening a named pipe that has no reader would block forever.
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


def open_file(path: str, flags: int, *, follow: bool = False) -> int:
    """Open a file and return its descriptor; create it with mode 0640, its folders with 0750. An `opener` for open().

    Raises OSError, also for a link, a pipe or a device, which another user may have put there, unless `follow` is true.
    """
    _make_folder(os.path.dirname(path))
    descriptor = os.open(path, flags | _NO_WAIT | (0 if follow else _NO_LINK), 0o640)
    if not follow and not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a regular file")
    return descriptor


def _make_folder(path: str) -> None:
    # os.makedirs alone would create the parent folders with another mode.
    around = os.path.dirname(path)
    if path != around and not os.path.exists(path):
        _make_folder(around)
        os.makedirs(path, 0o750, exist_ok=True)
