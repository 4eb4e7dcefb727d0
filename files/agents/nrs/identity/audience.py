"""The one service instance that a token is for."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
)


def audience_of(url: str) -> str:
    """`url` as `scheme://host:port`, in lower case, with its port and without its path.

    Raises ValueError.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _host(parts.hostname or "", bracketed="[" in parts.netloc)
    except ValueError:
        raise ValueError(f"{url!r} is no URL such as https://192.0.2.10:8080") from None
    odd = parts.query or parts.fragment or "@" in parts.netloc or port == 0
    if parts.scheme not in _PORTS or odd or not url.isprintable():
        raise ValueError(f"{url!r} is no URL such as https://192.0.2.10:8080")
    return f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}"


def _host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        address = ipaddress.IPv6Address(host)
        if address.scope_id:
            raise ValueError("has an interface")
        return f"[{address}]"
    if host.rpartition(".")[2].isdecimal():
        return str(ipaddress.IPv4Address(host))
    if not _NAME.fullmatch(host):
        raise ValueError("no host name")
    return host
