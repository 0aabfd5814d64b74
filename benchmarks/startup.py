"""The cost of start-up, and of a disabled log call. Each in a new interpreter."""

import json
import time
from functools import cache
from typing import Any, Final

from .runs import Figures, Runner

_OURS: Final = "from my_service.logging_setup import setup_main_logging; logs = setup_main_logging(); import logging"
_PLAIN: Final = "import logging; logging.basicConfig(filename='app.log', level=logging.INFO)"
_TEXTBOOK: Final = """
import logging, logging.handlers, multiprocessing
queue = multiprocessing.Queue(-1)
logging.handlers.QueueListener(queue, logging.FileHandler("app.log")).start()
logging.getLogger().addHandler(logging.handlers.QueueHandler(queue))
logging.getLogger().setLevel(logging.INFO)
"""
_LOGURU: Final = """
from loguru import logger
logger.remove()
logger.add("app.log", enqueue=True, level="INFO")
"""
_LOGBOOK: Final = """
import logbook
logbook.FileHandler("app.log", level="INFO").push_application()
logger = logbook.Logger("shop.orders", level=logbook.INFO)
"""
_LOGGER: Final = "\nlogger = logging.getLogger('shop.orders')\n"

_STARTS: Final = {
    "ours": ("queue", _OURS + _LOGGER),
    "ours-direct": ("direct", _OURS + _LOGGER),
    "textbook": ("queue", _TEXTBOOK + _LOGGER),
    "loguru": ("queue", _LOGURU),
    "plain": ("queue", _PLAIN + _LOGGER),
}
_DISABLED: Final = {
    "ours": ("queue", _OURS + _LOGGER),
    "ours-direct": ("direct", _OURS + _LOGGER),
    "plain": ("queue", _PLAIN + _LOGGER),
    "loguru": ("queue", _LOGURU),
    "logbook": ("queue", _LOGBOOK),
}

_FIRST_LINE: Final = """
import os, sys, time, json
began, ready = float(sys.argv[1]), time.perf_counter()
logger.info("the first line")
returned = time.perf_counter()
while not (os.path.exists("app.log") and os.path.getsize("app.log")):
    time.sleep(0.0002)
written = time.perf_counter()
figures = {"ready_ms": ready - began, "returned_ms": returned - began, "written_ms": written - began}
print(json.dumps({name: 1000 * value for name, value in figures.items()}), flush=True)
"""
_ONLY_IMPORTS: Final = """
import sys, time
ready = time.perf_counter()
print('{"ready_ms": %r}' % (1000 * (ready - float(sys.argv[1]))), flush=True)
"""
_NEEDED: Final = """
import json, sys
before = set(sys.modules)
{ours}
names = [name for name in sys.modules if name not in before and name.partition(".")[0] in sys.stdlib_module_names]
print(json.dumps({{"names": names}}), flush=True)
"""
_TIME: Final = """
import json, timeit
seconds = timeit.repeat("logger.debug('never seen')", globals=globals(), repeat=9, number={number})
print(json.dumps({{"disabled_ns": min(seconds) / {number} * 1e9}}), flush=True)
"""


def start(runner: Runner, name: str) -> Figures:
    """Return milliseconds from the start of the process until `name` is ready, and until its first line is written."""
    if name in _STARTS:
        project, code = _STARTS[name]
        code += _FIRST_LINE
    else:
        project, modules = "queue", ["logging"] if name == "bare" else needed(runner, name.partition(":")[2])
        code = f"import {', '.join(modules)}{_ONLY_IMPORTS}"
    return runner.python(project, code, json.dumps(time.perf_counter()))


@cache  # the same at every start
def needed(runner: Runner, project: str) -> list[str]:
    """Return the modules of the standard library that setup imports."""
    found: dict[str, Any] = runner.python(project, _NEEDED.format(ours=_OURS))
    return found.get("names") or ["logging"]


def disabled(runner: Runner, name: str, number: int) -> Figures:
    """Return nanoseconds per call of logger.debug at level INFO: the best of nine times `number` calls."""
    project, code = _DISABLED[name]
    return runner.python(project, code + _TIME.format(number=number))
