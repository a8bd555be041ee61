"""`python -m service`: check everything, load everything, then listen."""

import gc
import logging
import math
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer
import uvicorn
from fastapi import FastAPI

from emotion.address import bind
from emotion.bundle import load_bundle
from emotion.command_line import Command, command_line, run
from emotion.errors import DeviceLostError, SnapshotMismatchError, StoreMissingError
from emotion.predictor import Predictor
from emotion.runtime import Device, Precision
from service.doctor.command import doctor
from service.logs import configure_logging
from service.protocol import ConnectionLimits, http_protocol
from service.settings import ServiceSettings, read_settings

if TYPE_CHECKING:
    from index.snapshot import Snapshot
    from service.deps import Services

KEEP_ALIVE_S: Final = 20
LOST_GRACE_S: Final = 10.0
"""How long a service without its GPU goes on saying so before it ends."""

SPARE_FILES: Final = 256
"""For all that is no connection: the store, pictures being sent, a build's pipes."""

_log = logging.getLogger("feelalike.service")

OpenPredictor = Callable[[ServiceSettings], Predictor]

app = command_line(name="service", no_args_is_help=False)
app.command(cls=Command)(doctor)


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    bundle: Annotated[Path | None, typer.Option(help="Folder of the model, as `training fit` writes it.")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the index, as `index build` writes it.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 if left out.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 8000 if left out, 0 takes a free one.")] = None,
    root_path: Annotated[
        str | None, typer.Option(help="Path under which a proxy shows the service, such as /feelalike.")
    ] = None,
    device: Annotated[Device | None, typer.Option(help="Where model and index run; auto if left out.")] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Arithmetic of the model, as the index was built; fp32 if left out.")
    ] = None,
) -> None:
    """Serve a model and an index over HTTP: /classify, /search, the page at /, the API at /docs.

    Every setting can come from a variable `FEELALIKE_...`; a flag wins. The index must exist and be made by this
    model. Without a command it serves; `doctor` says what would keep it from that.

    Examples:

      python -m service --bundle models/default --store store

      python -m service --bundle models/default --store store --host 0.0.0.0 --port 80

      FEELALIKE_ADMIN_TOKEN=secret FEELALIKE_MAX_K=500 python -m service --bundle models/default --store store
    """
    if context.invoked_subcommand is not None:
        return
    from service.app import create_app, open_predictor

    places = {"bundle": bundle, "store": store, "host": host, "port": port, "root_path": root_path}
    flags = {**places, "device": device, "precision": precision}
    settings = read_settings(flags)
    open_model: OpenPredictor = context.obj or open_predictor
    configure_logging(settings.log_level)
    allow_files(settings.max_connections)
    with bind(settings.host, settings.port) as listener:
        load_bundle(settings.bundle)  # a damaged file is told before the seconds that a runtime takes to start
        predictor = open_model(settings)
        snapshot = open_snapshot(settings, predictor)
        _log.info(
            "model=%s runtime=%s device=%s precision=%s index_device=%s",
            predictor.model_id,
            predictor.runtime.name,
            predictor.runtime.device,
            predictor.precision,
            snapshot.index.device,
        )
        web = create_app(settings, predictor=predictor, snapshot=snapshot)
        gc.freeze()  # what is there now stays: no collection need look at it, which would stop every thread meanwhile
        listen(web, settings, listener)


def allow_files(n_connections: int) -> None:
    """Raise the limit of open files, as far as the system lets us, to what so many connections need."""
    try:
        import resource
    except ImportError:  # no Unix
        return
    needed = n_connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < needed:
        _log.warning("%d connections need %d open files, but %d are allowed: ulimit -n", n_connections, needed, most)


def open_snapshot(settings: ServiceSettings, predictor: Predictor) -> "Snapshot":
    """Load the index; its errors name the command that helps."""
    from index.store import SnapshotStore
    from service.snapshots import load_matching

    build = f"python -m index build --bundle {settings.bundle} --store {settings.store}"
    if settings.precision is not Precision.FP32:
        build += f" --precision {settings.precision}"
    store = SnapshotStore(settings.store)
    try:
        return load_matching(store, predictor, settings.device)
    except StoreMissingError as error:
        raise StoreMissingError(
            f"the store {settings.store} holds no index yet; build one: {build} --gallery FOLDER_OR_MANIFEST"
        ) from error
    except SnapshotMismatchError as error:
        reason, made_by = str(error).rpartition(";")[0], store.manifest()
        only_precision = (made_by.model_id, made_by.dim) == (predictor.model_id, predictor.dim)
        choice = f"serve it with --precision {made_by.precision}, or " if only_precision else ""
        raise SnapshotMismatchError(f"{reason}; {choice}embed the gallery again: {build}") from error


def listen(web: FastAPI, settings: ServiceSettings, listener: socket.socket) -> None:
    """Answer requests until SIGTERM or Ctrl-C, then let the running ones end.

    Raises DeviceLostError when the GPU was lost: only a new process can use it, and what restarts a service (Docker,
    systemd) waits for its end.
    """
    from service.gate import Gate

    limits = ConnectionLimits(
        most=settings.max_connections,
        head_s=settings.head_timeout_s,
        body_s=settings.upload_timeout_s,
        stall_s=settings.answer_timeout_s,
    )
    config = uvicorn.Config(
        web,
        http=http_protocol(limits, Gate(web, settings)),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the app does it itself
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
    server = _Server(config, web)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # Uvicorn puts its own handlers in place of these while it runs. Once it has shut down in order it raises the
    # signal again, which is to be a success and not a death.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run(sockets=[listener])
    if server.failure is not None:
        raise DeviceLostError(server.failure)


class _Server(uvicorn.Server):
    """Says where it listens, once it does; ends when the GPU is lost."""

    def __init__(self, config: uvicorn.Config, web: FastAPI) -> None:
        super().__init__(config)
        self.failure: str | None = None
        self._web = web
        self._end_at = math.inf

    async def on_tick(self, counter: int) -> bool:
        services: Services = self._web.state.services
        if self.failure is None and (failure := services.device_failure):
            self.failure, self._end_at = failure, time.monotonic() + LOST_GRACE_S
            _log.critical("%s; ending in %.0f s", failure, LOST_GRACE_S)
        return time.monotonic() >= self._end_at or await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            _log.info("ready on http://%s:%d", f"[{host}]" if ":" in host else host, port)


if __name__ == "__main__":
    run(app)
