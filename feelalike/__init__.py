"""A client of the service: `Client`, and `AsyncClient` for asyncio; pictures in, typed answers out."""

from feelalike.aio import AsyncClient
from feelalike.client import Client
from feelalike.errors import (
    ClientError,
    ConflictError,
    InvalidRequestError,
    JobError,
    NoAnswerError,
    NotFoundError,
    PictureRefusedError,
    ProblemError,
    ServerError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
    WaitTimeoutError,
)
from feelalike.retries import Retries

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "ConflictError",
    "InvalidRequestError",
    "JobError",
    "NoAnswerError",
    "NotFoundError",
    "PictureRefusedError",
    "ProblemError",
    "Retries",
    "ServerError",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "WaitTimeoutError",
]
