"""The address that a service listens on."""

import socket

from emotion.errors import AddressError


def bind(host: str, port: int) -> socket.socket:
    """Take the port, before anything slow; raises AddressError when that cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressError(f"cannot listen on {host}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left is free
        listener.bind(address)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise AddressError(f"cannot listen on {host}:{port}: {reason}; choose another with --port") from error
    return listener
