"""The entry point: set up logging once, then run the service."""

import logging

from . import service
from .logging_setup import setup_main_logging
# {% if cookiecutter.multiprocessing %}
from .multi import run_workers
# {% endif %}

logger = logging.getLogger(__name__)


def main() -> None:
    """Run the service."""
    logs = setup_main_logging()
    with logs:
        logger.info("Ready")
        service.take_order(0)
        # {% if cookiecutter.multiprocessing %}
        run_workers(logs.queue)
        # {% endif %}
        logger.info("Done")


if __name__ == "__main__":
    main()
