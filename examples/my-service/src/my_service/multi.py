"""Worker processes, each of which calls setup_proc_logging before anything else."""

import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from . import service
from .logging_setup import LogQueue, log_exit, logged, setup_proc_logging

logger = logging.getLogger(__name__)


def work(queue: LogQueue, number: int) -> None:
    """Process one order: the target of a Process."""
    setup_proc_logging(queue)
    logger.info("Worker %d starts", number)
    service.take_order(number)
    logger.debug("Worker %d is done", number)


@logged
def job(number: int) -> int:
    """Run in a pool; `logged` logs an exception where it is raised, not when its result is fetched."""
    logger.info("Job %d", number)
    return number * number


def run_workers(queue: LogQueue) -> None:
    """Start two processes, then a pool of two."""
    processes = [multiprocessing.Process(target=work, args=(queue, n), name=f"worker-{n}") for n in (1, 2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        log_exit(process)
    with ProcessPoolExecutor(2, initializer=setup_proc_logging, initargs=(queue,)) as pool:
        logger.info("Pool results: %s", list(pool.map(job, range(3))))
