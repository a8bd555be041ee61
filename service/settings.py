"""Every setting of the service: from FEELALIKE_* variables, or from flags, which win."""

import difflib
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from emotion.errors import ConfigError
from emotion.images import DEFAULT_LIMITS, PictureLimits
from emotion.runtime import Device, Precision
from service.addresses import parse_proxies

PREFIX: Final = "FEELALIKE_"
_LIKELY_TYPO: Final = 0.85
_ROOT_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class RateLimitBy(StrEnum):
    """What counts as one client."""

    ADDRESS = "address"
    TOKEN = "token"  # noqa: S105 - a name and no secret


class ServiceSettings(BaseSettings):
    """What an operator may set."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    bundle: Path = Field(description="Folder of the model, as `python -m training fit` writes it.")
    store: Path = Field(description="Folder of the index, as `python -m index build` writes it.")
    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one and logs it.")
    root_path: str = Field(
        default="",
        description="Path under which a proxy shows the service, such as /feelalike; the proxy may take it off the "
        "requests that it passes on, or not.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1,::1",
        description="Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: addresses and networks with "
        "commas between, * for any, empty for none.",
    )
    device: Device = Field(
        default=Device.AUTO, description="Where model and index run: auto takes CUDA where there is a GPU."
    )
    precision: Precision = Field(
        default=Precision.FP32,
        description="Arithmetic of the model, fp32, bf16 or int8; the index must be built with the same.",
    )
    admin_token: SecretStr | None = Field(
        default=None, description="Bearer token of the admin routes; without one they answer 401."
    )
    admin_token_file: Path | None = Field(
        default=None, description="File that holds the admin token, in place of the token itself."
    )
    read_token: SecretStr | None = Field(
        default=None,
        description="Token that everything else needs then, but /livez and /readyz; without one all may read.",
    )
    read_token_file: Path | None = Field(
        default=None, description="File that holds the read token, in place of the token itself."
    )
    rate_limit_per_s: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Requests a second that one client may make in the long run, but for /livez and /readyz; more are "
        "answered 429. Without it there is no such limit.",
    )
    rate_limit_burst: int = Field(
        default=100, ge=1, description="Requests that a client may make at once before that counts."
    )
    rate_limit_by: RateLimitBy = Field(
        default=RateLimitBy.ADDRESS,
        description="What one client is: an address (of IPv6 its /64), or token: all who bring the same one of the two "
        "tokens; who brings none goes by address.",
    )
    max_upload_bytes: int = Field(
        default=DEFAULT_LIMITS.max_bytes, gt=0, description="Largest picture accepted, in bytes; above it: 413."
    )
    max_pixels: int = Field(
        default=DEFAULT_LIMITS.max_pixels, gt=0, description="Most pixels a picture may have, width x height; else 422."
    )
    max_k: int = Field(default=100, ge=1, le=1000, description="Most results one search may ask for; above it: 422.")
    default_k: int = Field(default=10, ge=1, description="Results of a search that does not say how many it wants.")
    max_uploads: int = Field(
        default=32, ge=1, description="Pictures being received or decoded at a time; more are answered 503."
    )
    max_connections: int = Field(
        default=1000,
        ge=1,
        description="Connections at a time; for one more the one is closed that has idled longest. Each takes a file "
        "descriptor.",
    )
    head_timeout_s: float = Field(
        default=15.0, gt=0, description="Longest time a request may take to name its route and its headers, in seconds."
    )
    answer_timeout_s: float = Field(
        default=60.0, gt=0, description="Longest time a client may take nothing of its answer, in seconds."
    )
    upload_timeout_s: float = Field(default=60.0, gt=0, description="Longest time a picture may take to arrive.")
    queue_size: int = Field(
        default=64,
        ge=1,
        description="Pictures that may be on their way to the model, those being received or decoded counted in; "
        "more are answered 503.",
    )
    max_batch: int | None = Field(
        default=None,
        ge=1,
        description="Most waiting pictures the model takes at once; by default 8 on a GPU, as one batch, and 4 on a "
        "CPU, each on a share of the cores.",
    )
    max_batch_pictures: int = Field(
        default=16, ge=1, description="Most pictures in one request that takes several; above it: 400."
    )
    max_batch_bytes: int = Field(
        default=64 * 2**20, gt=0, description="Most bytes of all pictures of such a request together; above it: 413."
    )
    max_batches: int = Field(
        default=4, ge=1, description="Such requests being received or answered at a time; more are answered 503."
    )
    decode_threads: int = Field(
        default=min(4, os.cpu_count() or 1), ge=1, description="Threads that decode pictures; by default up to 4."
    )
    model_threads: int | None = Field(
        default=None, ge=1, description="Cores the model uses on a CPU; all of them by default."
    )
    poll_interval_s: float = Field(
        default=0.5, gt=0, description="How often the service looks whether a new index was published, in seconds."
    )
    shutdown_grace_s: int = Field(
        default=10, ge=1, description="How long running requests may take to end after SIGTERM, in seconds."
    )
    log_level: LogLevel = Field(default=LogLevel.INFO, description="debug, info, warning or error.")

    @model_validator(mode="before")
    @classmethod
    def _tokens_from_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A file that holds no token is an error: a service meant to be closed must not stand open."""
        for name in ("admin_token", "read_token"):
            file = given.get(f"{name}_file")
            if not file:
                continue
            if given.get(name):
                raise ValueError(f"{variable(name)} and {variable(name)}_FILE are both set; set one")
            given = {**given, name: _read_token(Path(file))}
        return given

    @field_validator("admin_token", "read_token")
    @classmethod
    def _no_empty_token(cls, token: SecretStr | None) -> SecretStr | None:
        """An empty variable, as a compose file passes on, means no token and not the token ''."""
        return token if token is not None and token.get_secret_value().strip() else None

    @field_validator("root_path")
    @classmethod
    def _plain_path(cls, given: str) -> str:
        path = given.rstrip("/")
        if path and not _ROOT_PATH.fullmatch(path):
            raise ValueError(f"{given[:80]!r} is not a path such as /feelalike: letters, digits, . _ ~ - between /")
        return path

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, given: str) -> str:
        return ",".join(parse_proxies(given))

    @model_validator(mode="after")
    def _default_within_limit(self) -> Self:
        if self.default_k > self.max_k:
            raise ValueError(f"default_k is {self.default_k}, above max_k, which is {self.max_k}")
        return self

    def batch_limit(self, device: Device) -> int:
        """Most pictures that the model takes at once where it runs."""
        return self.max_batch or (8 if device is Device.CUDA else 4)

    @property
    def picture_limits(self) -> PictureLimits:
        """What an uploaded picture may cost."""
        return PictureLimits(max_bytes=self.max_upload_bytes, max_pixels=self.max_pixels)


def read_settings(flags: Mapping[str, Any]) -> ServiceSettings:
    """Settings from the environment, overridden by the flags that were given (those not None).

    Raises:
        ConfigError: a setting is missing, out of range, or a variable is likely a misspelt one.
    """
    _check_spelling(os.environ)
    try:
        return ServiceSettings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise ConfigError("; ".join(_complaint(problem) for problem in error.errors())) from error


def _read_token(file: Path) -> str:
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the token's file {file} cannot be read: {error}") from error
    if not token:
        raise ValueError(f"the token's file {file} is empty")
    return token


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def _complaint(problem: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"--{name} is missing; give it, or set {variable(name)}"
    # The value itself may be the token, so it is not repeated.
    return f"the setting {name} ({variable(name)}): {problem['msg']}" if name else str(problem["msg"])


def _check_spelling(environment: Mapping[str, str]) -> None:
    """Other programs may use the prefix too, so only a near miss is an error."""
    known = [variable(name) for name in ServiceSettings.model_fields]
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=_LIKELY_TYPO)
            if nearest:
                raise ConfigError(f"the variable {name} is unknown; did you mean {nearest[0]}?")
