"""Who may talk to the page: a browser on this machine that shows this very page, and nobody else.

The page has no login, so a request is believed only when it comes over loopback, names a loopback host (against DNS
rebinding) and, where it can change or subscribe to something, comes from a page of this origin (against other sites).
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

_NAMES = ("127.0.0.1", "localhost", "[::1]")


def is_local(connection: HTTPConnection) -> bool:
    """Over loopback, to a loopback name."""
    client = connection.client
    try:
        is_near = client is not None and ipaddress.ip_address(client.host).is_loopback
    except ValueError:
        is_near = False
    return is_near and _host_name(connection.headers.get("host", "")) in _NAMES


def is_own_page(connection: HTTPConnection) -> bool:
    """Sent by a page that this server served."""
    headers = connection.headers
    return is_local(connection) and headers.get("origin") == f"http://{headers.get('host', '')}"


def _host_name(host: str) -> str:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host.lower()
    return name.lower() if port.isdigit() else ""
