"""Log lines: short, one event each, with the id of the request they belong to."""

import logging
from contextvars import ContextVar
from typing import Final

request_id_var: Final[ContextVar[str]] = ContextVar("request_id", default="-")
"""Set for every request; tasks started by a request, such as a rebuild, inherit it."""

_FORMAT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"


class _AddRequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id_var.get()
        return True


def configure_logging(level: str) -> None:
    """Log to stderr; called by the entry point only, so that importing or testing the app changes no logging."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    handler.addFilter(_AddRequestId())
    for name, threshold in (("feelalike", level.upper()), ("uvicorn", "WARNING"), ("asyncio", "WARNING")):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(threshold)
