"""The entry point: set up logging once, then run the service."""

import logging

from . import service
from .logging_setup import setup_main_logging
from .multi import run_workers

logger = logging.getLogger(__name__)


def main() -> None:
    """Run the service."""
    logs = setup_main_logging()
    with logs:
        logger.info("Ready")
        service.take_order(0)
        run_workers(logs.queue)
        logger.info("Done")


if __name__ == "__main__":
    main()
