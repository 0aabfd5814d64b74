"""An ordinary module: a logger named after it, and nothing else to know about logging."""

import logging

from .logging_setup import log_context

logger = logging.getLogger(__name__)


def take_order(number: int) -> None:
    """Work on one order; a stand-in for what your service does."""
    with log_context(order=number):
        logger.debug("Looking into the warehouse")
        logger.info("Order taken")
        if number % 3 == 0:
            logger.warning("Nearly out of stock", extra={"left": 2})
