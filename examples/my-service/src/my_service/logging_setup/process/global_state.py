"""Changes to process-wide state: what setup changes and stop() restores, and the handlers of the root logger.

Other code may configure logging too: basicConfig(force=True), dictConfig and fileConfig remove every handler of the
root logger, and the latter two disable each logger that they do not name. Unless LOG_REATTACH is off, this package's
handlers stay attached and enabled loggers stay enabled, so that no record is lost in between.
"""

import contextlib
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any, Final

PACKAGE: Final = (__package__ or "").rpartition(".")[0]
_CONFIGURE: Final = "_handle_existing_loggers"  # in logging.config: the last step of dictConfig and of fileConfig

undo: Final = contextlib.ExitStack()  # stop() closes it, which restores what was changed, the last change first
logger = logging.getLogger(__name__)

# Held while logging is set up, a listener is started or levels are changed, and during every fork (session.py), so
# that no child inherits half of it.
fork_lock: Final = threading.RLock()

# Objects on which a forked child calls `reset_in_child()`; os.register_at_fork would keep each of them forever.
forked_handlers: Final["weakref.WeakSet[Any]"] = weakref.WeakSet()


def _reset_in_child() -> None:
    for handler in list(forked_handlers):
        with contextlib.suppress(Exception):  # of a library's handler; the others are still reset
            handler.reset_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


def change(get: Callable[[], Any], put: Callable[[Any], object], value: Any) -> None:
    """Replace a value; stop() restores the previous one unless other code has replaced `value`."""
    found = get()
    put(value)
    undo.callback(lambda: put(found) if get() == value else None)


def all_loggers() -> list[logging.Logger]:
    """Return the root logger, then the others, sorted by name."""
    named = sorted(logging.root.manager.loggerDict.copy().items())
    return [logging.root, *(each for _, each in named if isinstance(each, logging.Logger))]


class _RootHandlers(list[logging.Handler]):
    """A list of handlers that keeps those in `kept` when other code removes them.

    From a removal to the next append, its length counts only the others: basicConfig adds handlers only to a
    list that it finds empty. Iteration, as in each log call, always yields all handlers.
    """

    def __init__(self, kept: Sequence[logging.Handler], others: Sequence[logging.Handler]) -> None:
        self._kept = kept
        self._hidden = 0  # how many of `kept` the length leaves out
        super().__init__((*kept, *others))

    def __len__(self) -> int:
        return super().__len__() - self._hidden

    def remove(self, handler: logging.Handler) -> None:
        if handler in self._kept:
            self._hidden = len(self._kept)
        else:
            super().remove(handler)

    def clear(self) -> None:
        for handler in self[:]:
            self.remove(handler)

    def copy(self) -> "_RootHandlers":
        """Return a list of this class: in CPython 3.14, removeHandler replaces the list with a changed copy."""
        made = _RootHandlers(self, ())
        made._kept, made._hidden = self._kept, self._hidden
        return made

    def append(self, handler: logging.Handler) -> None:
        super().append(handler)
        if self._hidden:
            self._hidden = 0
            _report(f"root handlers replaced by other code, own handlers kept as well: {handler!r}")


def spare_loggers() -> None:
    """Keep logging.config from disabling enabled loggers. It first closes every handler, and their close() calls this.

    Not earlier, because importing it takes milliseconds and most programs never need it.
    """
    place = sys.modules.get("logging.config"), _CONFIGURE
    original = getattr(place[0], _CONFIGURE, None)
    if original and isinstance(logging.root.handlers, _RootHandlers) and not isinstance(original, partial):
        change(partial(getattr, *place), partial(setattr, *place), partial(_keep_enabled, original))


def _keep_enabled(
    original: Callable[..., object], existing: Iterable[str], children: Iterable[str], disable_existing: bool
) -> None:
    """Do what the function of logging.config does, but disable only loggers that are disabled already."""
    named = logging.root.manager.loggerDict
    enabled = {name for name in existing if not getattr(named[name], "disabled", False)}
    original([name for name in existing if name not in enabled], children, disable_existing)
    original(enabled, children, False)
    if disable_existing and (spared := [n for n in existing if n in enabled.difference(children)]):
        names = ", ".join(spared[:5])
        _report(f"{len(spared)} loggers disabled by logging.config, kept enabled: {names}")


@cache  # each text once
def _report(text: str) -> None:
    logger.warning("logging: %s", text)


def attach(handlers: Sequence[logging.Handler], replaced: Sequence[logging.Handler] = (), *, keep: bool) -> None:
    """Attach `handlers` to the root logger, in place of `replaced`; `keep`: keep them when other code removes them."""
    own = f"{PACKAGE}."  # handlers copied by a fork, or left by a reload
    left = [each for each in logging.root.handlers if not type(each).__module__.startswith(own)]
    others = [each for each in left if each not in replaced]
    logging.root.handlers = _RootHandlers(handlers, others) if keep else [*handlers, *others]
    _report.cache_clear()
