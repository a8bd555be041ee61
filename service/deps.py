"""What every request may use: made once at the start of the app, handed to the routes."""

import hmac
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from emotion.predictor import Predictor
from index.store import SnapshotStore
from index.view import Searchable
from service.answers import Naming
from service.errors import InvalidParameterError, UnauthorizedError
from service.fingerprints import Fingerprints
from service.inference import ModelLane, Prediction
from service.metrics import Metrics
from service.moods import MoodCentres
from service.pictures import GalleryFiles
from service.pipeline import Found, Pipeline
from service.rebuild_job import RebuildJobs
from service.settings import ServiceSettings, variable
from service.snapshots import LiveSnapshot
from service.uploads import answer_of, read_picture
from service.workers import WorkPool


@dataclass(frozen=True)
class Services:
    """The parts of a running service."""

    settings: ServiceSettings
    predictor: Predictor
    store: SnapshotStore
    metrics: Metrics
    lane: ModelLane
    decoders: WorkPool
    thumbnailers: WorkPool
    batches: WorkPool
    live: LiveSnapshot
    files: GalleryFiles
    jobs: RebuildJobs
    moods: MoodCentres
    fingerprints: Fingerprints
    pipeline: Pipeline

    @property
    def naming(self) -> Naming:
        """How the model's probabilities become emotions, and ids addresses."""
        return Naming(self.predictor.taxonomy, self.predictor.thresholds, self.settings.root_path)

    @property
    def device_failure(self) -> str | None:
        """Why the GPU is lost, to the model or to the index; None while all is well."""
        snapshot = self.live.current
        return self.predictor.runtime.failure or (snapshot.index.failure if snapshot else None)

    async def predict(self, request: Request) -> Prediction:
        """Read, decode and embed the picture of a request; raises ClientDisconnect when the client has gone."""
        return await answer_of(request, self.pipeline.predict(await self._received(request)))

    async def search(self, request: Request, snapshot: Searchable, k: int) -> Found:
        """Likewise, and find the k nearest pictures."""
        return await answer_of(request, self.pipeline.search(await self._received(request), snapshot, k))

    async def _received(self, request: Request) -> bytes:
        """The picture, with a place on its way taken for it."""
        self.pipeline.enter()
        try:
            with self.metrics.stage("receive"):
                settings = self.settings
                return await read_picture(request, settings.max_upload_bytes, settings.upload_timeout_s)
        except BaseException:
            self.pipeline.leave()
            raise


def services_of(request: Request) -> Services:
    """The app's parts."""
    return cast(Services, request.app.state.services)


# Dependencies are coroutines although they wait for nothing: FastAPI would run functions in threads of their own. And
# they take the request and ask `services_of`: each that depended on another would be solved anew every time.


async def services(request: Request) -> Services:
    """The app's parts, for the routes."""
    return services_of(request)


ServicesDep = Annotated[Services, Depends(services)]


async def wanted_k(
    request: Request, k: Annotated[int | None, Query(ge=1, description="How many pictures are wanted.")] = None
) -> int:
    """The number of results; raises InvalidParameterError above the limit."""
    settings = services_of(request).settings
    if k is None:
        return settings.default_k
    if k > settings.max_k:
        raise InvalidParameterError(f"k: at most {settings.max_k} pictures can be asked for, not {k}")
    return k


WantedK = Annotated[int, Depends(wanted_k)]

_bearer = HTTPBearer(auto_error=False, description="The admin token, as set in FEELALIKE_ADMIN_TOKEN.")


async def require_admin(
    parts: ServicesDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> None:
    """Let the holder of the token pass; raises UnauthorizedError."""
    token = parts.settings.admin_token
    if token is None:
        raise UnauthorizedError(f"admin is off: start the service with {variable('admin_token')}")
    if credentials is None:
        raise UnauthorizedError("this needs the admin token: Authorization: Bearer TOKEN")
    given, expected = credentials.credentials.encode(), token.get_secret_value().encode()
    if not hmac.compare_digest(given, expected):
        raise UnauthorizedError("the admin token is wrong")
