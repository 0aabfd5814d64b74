"""The root logger's handlers, kept while other code sets logging up.

basicConfig(force=True), dictConfig and fileConfig take every handler off the root logger, and the latter two
disable every logger that they do not name. Here the handlers stay in their list, which looks to that code as
if they were gone, so no record is lost in between; and the loggers are enabled again before the call returns.
"""

import logging
import time
from collections.abc import Iterable
from typing import Final

_TOGETHER: Final = 1.0  # seconds after a removal in which a handler that is added replaces what was removed
_FIRST, _LAST = "!logging_setup", "~logging_setup"  # sorted before and after the names of all other loggers
_SHOWN: Final = 5  # names of loggers in one report

logger = logging.getLogger(__name__)


class _RootHandlers(list[logging.Handler]):
    """The handlers of other code, and `kept` ones, which only `attach` and `detach` take off."""

    def __init__(self, others: Iterable[logging.Handler], kept: Iterable[logging.Handler]) -> None:
        self._kept = tuple(kept)
        super().__init__((*others, *self._kept))
        self._removed_at = float("-inf")  # when other code removed kept ones, in monotonic seconds
        self._reports: set[str] = set()
        self.enabled: list[logging.Logger] = []  # as logging.config has found them

    def __len__(self) -> int:
        return super().__len__() - (len(self._kept) if self._removed_at > 0 else 0)

    def remove(self, handler: logging.Handler) -> None:
        if handler in self._kept:
            self._removed_at = time.monotonic()
        else:
            super().remove(handler)

    def clear(self) -> None:
        for handler in self[:]:
            self.remove(handler)

    def append(self, handler: logging.Handler) -> None:
        super().append(handler)
        if time.monotonic() - self._removed_at < _TOGETHER:
            self.report(f"handlers replaced by other code, attached again beside its own: {handler!r}")

    def report(self, text: str) -> None:
        """Log `text`, once."""
        if text not in self._reports:
            self._reports.add(text)
            logger.warning("root logger: %s", text)


class _Sentinel(logging.Logger):
    """A logger of which logging.config sets `disabled` before or after it does so for all others."""

    @property
    def disabled(self) -> bool:
        return False

    @disabled.setter
    def disabled(self, _: bool) -> None:
        handlers = logging.root.handlers
        if not isinstance(handlers, _RootHandlers):
            return
        if self.name == _FIRST:
            named = self.manager.loggerDict.copy().values()
            handlers.enabled = [each for each in named if isinstance(each, logging.Logger) and not each.disabled]
        elif disabled := [each for each in handlers.enabled if each.disabled]:
            for each in disabled:
                each.disabled = False
            names = ", ".join(each.name for each in disabled[:_SHOWN])
            handlers.report(f"{len(disabled)} loggers disabled by logging.config, enabled again: {names}")


def attach(handlers: Iterable[logging.Handler], others: Iterable[logging.Handler], *, keep: bool) -> None:
    """Make `others` and `handlers` those of the root logger; `keep`: `handlers` stay when other code removes them."""
    logging.root.handlers = _RootHandlers(others, handlers) if keep else [*others, *handlers]
    for name in (_FIRST, _LAST) if keep else ():
        logging.getLogger(name).__class__ = _Sentinel


def detach(handlers: Iterable[logging.Handler], found: Iterable[logging.Handler]) -> None:
    """Take `handlers` off the root logger, and put `found` ones back."""
    logging.root.handlers = [*found, *(each for each in logging.root.handlers if each not in handlers)]
