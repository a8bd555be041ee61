"""The way in: the port, and the tokens that keep it closed."""

import ipaddress
import stat
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from emotion.address import bind
from emotion.errors import AddressError
from service.doctor.finding import Finding, Findings, failed, ok, warning
from service.settings import ServiceSettings, variable

MIN_TOKEN: Final = 16
"""Characters; 24 random bytes as `secrets.token_urlsafe` writes them are 32."""
MIN_DIFFERENT: Final = 8
_TIMEOUT_S: Final = 2.0
_MAKE: Final = "make one: python -c 'import secrets; print(secrets.token_urlsafe(24))'"
_OTHERS_READ: Final = stat.S_IRGRP | stat.S_IROTH


def port_findings(settings: ServiceSettings) -> Findings:
    """Whether the service could listen there."""
    where = f"{settings.host}:{settings.port}"
    if settings.port == 0:
        yield ok("port", f"a free one of {settings.host}")
        return
    try:
        bind(settings.host, settings.port).close()
    except AddressError as error:
        if _is_ours(settings):
            yield warning("port", f"a service answers on {where} already", "stop it first, or choose another --port")
        else:
            yield failed("port", str(error).partition(";")[0], "choose another --port, or --host")
        return
    yield ok("port", f"{where} is free")


def token_findings(settings: ServiceSettings) -> Findings:
    """Whether the tokens are set where they should be, and hard to guess."""
    tokens = {name: getattr(settings, name) for name in ("admin_token", "read_token")}
    secrets = {name: token.get_secret_value() for name, token in tokens.items() if token is not None}
    worries = [worry for name, secret in secrets.items() for worry in _weak(name, secret)]
    worries += [worry for name in tokens for worry in _open_file(getattr(settings, f"{name}_file"))]
    if len(secrets) == 2 and len(set(secrets.values())) == 1:
        found = (
            f"{variable('admin_token')} and {variable('read_token')} are the same: every reader may rebuild and delete"
        )
        worries.append(warning("tokens", found, _MAKE))
    if "read_token" not in secrets and not _is_local(settings.host):
        found = f"whoever reaches {settings.host}:{settings.port} may search and see the gallery"
        worries.append(warning("tokens", found, f"set {variable('read_token')}, or let only those in who may see it"))
    yield from worries
    if not worries:
        admin = "set" if "admin_token" in secrets else "not set, so the admin routes are off"
        read = "set" if "read_token" in secrets else f"not set, but only this machine reaches {settings.host}"
        yield ok("tokens", f"admin token {admin}; read token {read}")


def _weak(name: str, secret: str) -> list[Finding]:
    if len(secret) >= MIN_TOKEN and len(set(secret)) >= MIN_DIFFERENT:
        return []
    found = f"{variable(name)} can be guessed: {len(secret)} characters, {len(set(secret))} of them different"
    return [warning("tokens", found, _MAKE)]


def _open_file(file: Path | None) -> list[Finding]:
    # Docker lays its secrets there for everybody in the container, who is one user.
    if file is None or file.is_relative_to("/run/secrets") or not file.stat().st_mode & _OTHERS_READ:
        return []
    return [warning("tokens", f"others on this machine may read {file}", f"chmod 600 {file}")]


def _is_ours(settings: ServiceSettings) -> bool:
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104 - compared with, never bound to
    host = f"[{host}]" if ":" in host else host
    try:
        with urllib.request.urlopen(f"http://{host}:{settings.port}/livez", timeout=_TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
