"""Numbered records from several processes: flood.py <start method> <kind> <workers> <records>.

SABOTAGE=withhold leaves one record out, SABOTAGE=double logs one twice: the oracle must see it.
"""

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from numbered import Writer

from my_service.logging_setup import LogQueue, setup_main_logging, setup_proc_logging


def work(slot: int, records: int) -> None:
    writer = Writer(slot)
    writer.write(records - 1)
    sabotage = os.environ.get("SABOTAGE") if slot == 0 else ""
    if sabotage != "withhold":
        writer.write()
    if sabotage == "double":
        Writer(slot, first=records - 1).write()


def in_process(queue: LogQueue, slot: int, records: int) -> None:
    setup_proc_logging(queue)
    work(slot, records)


def main() -> None:
    method, kind, workers, records = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    context = multiprocessing.get_context(method)
    with setup_main_logging() as logs:
        jobs = [(slot, records) for slot in range(workers)]
        if kind == "Process":
            processes = [context.Process(target=in_process, args=(logs.queue, *job)) for job in jobs]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
        elif kind == "Pool":
            with context.Pool(workers, setup_proc_logging, (logs.queue,)) as pool:
                pool.starmap(work, jobs, chunksize=1)
        else:
            executor = ProcessPoolExecutor(workers, context, setup_proc_logging, (logs.queue,))
            with executor:
                list(executor.map(work, *zip(*jobs, strict=True)))


if __name__ == "__main__":
    main()
