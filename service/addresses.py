"""Where the service stands behind a proxy: the path that the proxy shows it under, and which proxies are believed."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

from starlette._utils import get_route_path
from starlette.types import Scope

from emotion.errors import ConfigError

ANY_PROXY = "*"


def under(scope: Scope, root_path: str) -> Scope:
    """A request as the routes want it: its path with the root path in front, whether the proxy took that off or not.

    ASGI's `path` is the whole one, and what is left of it without `root_path` finds the route.
    """
    if not root_path:
        return scope
    path, raw = scope["path"], scope.get("raw_path")
    if path == root_path or path.startswith(f"{root_path}/"):
        return {**scope, "root_path": root_path}
    raw = None if raw is None else root_path.encode() + raw
    return {**scope, "root_path": root_path, "path": root_path + path, "raw_path": raw}


def route_path(scope: Scope) -> str:
    """The path of a request without the root path."""
    return get_route_path(scope)


def without_host(location: bytes) -> bytes:
    """A redirect's target as a path: scheme and host are the proxy's, who may not have told us."""
    parts = urlsplit(location.decode("latin-1"))
    return urlunsplit(("", "", "/" + parts.path.lstrip("/"), parts.query, "")).encode("latin-1")


def check_root_path(root_path: str, paths: Iterable[str]) -> None:
    """Raise ConfigError if a path without the root path in front could be taken for one with it.

    Args:
        root_path: as set.
        paths: of the service's own routes.
    """
    first = root_path.split("/")[1]
    if first in {path.split("/")[1] for path in paths}:
        raise ConfigError(f"root_path: /{first} is a route of the service itself; choose another path on the proxy")


def parse_proxies(given: str) -> list[str]:
    """Addresses and networks of a list with commas; raises ValueError at anything else."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if names == [ANY_PROXY]:
        return names
    for name in names:
        try:
            ip_network(name) if "/" in name else ip_address(name)
        except ValueError as error:
            raise ValueError(f"{name!r} is no address and no network: {error}; or give * alone, for any") from error
    return names
