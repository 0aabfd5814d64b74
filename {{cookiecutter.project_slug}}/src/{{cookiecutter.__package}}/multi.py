"""Work in other processes. Each calls setup_proc_logging before anything else."""

import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from . import service
from .logging_setup import log_exit, logged, setup_proc_logging
from .logging_setup.queue.pipe import LogQueue, ThreadQueue

logger = logging.getLogger(__name__)


def work(queue: LogQueue | ThreadQueue, number: int) -> None:
    """The target of a Process."""
    setup_proc_logging(queue)
    logger.info("Worker %d begins", number)
    service.take_order(number)
    logger.debug("Worker %d is done", number)


@logged
def job(number: int) -> int:
    """What a pool runs; `logged` puts an exception into the log at once, not when it is fetched."""
    logger.info("Job %d", number)
    return number * number


def run_workers(queue: LogQueue | ThreadQueue) -> None:
    """Two processes of our own, then a pool of two."""
    processes = [multiprocessing.Process(target=work, args=(queue, n), name=f"worker-{n}") for n in (1, 2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        log_exit(process)
    with ProcessPoolExecutor(2, initializer=setup_proc_logging, initargs=(queue,)) as pool:
        logger.info("The pool says %s", list(pool.map(job, range(3))))
