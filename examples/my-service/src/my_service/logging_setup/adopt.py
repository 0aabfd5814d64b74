"""Other people's loggers: servers and frameworks that bring handlers of their own."""

import logging


def adopt_loggers(*names: str) -> None:
    """Have these loggers, and all below them, log by way of the root logger alone.

        adopt_loggers("uvicorn", "gunicorn", "celery")

    Their own handlers are taken off and closed, propagation and the loggers themselves are
    switched on; levels stay. Call it after the library has set its logging up.
    """
    for name in names:
        logging.getLogger(name)  # so that it exists, and its propagation is set
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and any(name == each or name.startswith(f"{each}.") for each in names):
            for handler in logger.handlers[:]:
                logger.removeHandler(handler)
                handler.close()
            logger.propagate = True
            logger.disabled = False
