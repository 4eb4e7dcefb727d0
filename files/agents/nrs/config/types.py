"""Field types that the configuration models share.

Every type refuses a value of another kind instead of converting it, so that a
quoted number or a bare integer in place of an address is an error at start.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(/[^\s?#]*)?")


class Section(BaseModel):
    """A mapping of a configuration file: unknown keys are refused, values frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (ipaddress._BaseAddress, ipaddress._BaseNetwork)):
        return value
    raise ValueError("must be a string")


def _name(value: Any) -> Any:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("must be 1 to 64 letters, digits, '_', '-' or '.', no sign first")
    return value


def _url(value: Any) -> Any:
    if not isinstance(value, str) or not _URL.fullmatch(value):
        raise ValueError("must be a URL such as http://192.0.2.10:8080")
    return value.rstrip("/")


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, BeforeValidator(_name)]
"""An identifier of a device or router; also safe as a file name and in a URL path."""

Url = Annotated[str, BeforeValidator(_url)]
Urls = Annotated[list[Url], BeforeValidator(_one_or_more), Field(min_length=1)]
"""One URL or a list of URLs, always held as a list."""

Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Interface = Annotated[str, StringConstraints(pattern=r"^[^\s/:]{1,15}$", strict=True)]
Address = Annotated[IPAddress, BeforeValidator(_text)]
Address4 = Annotated[ipaddress.IPv4Address, BeforeValidator(_text)]
Address6 = Annotated[ipaddress.IPv6Address, BeforeValidator(_text)]
Interface4 = Annotated[ipaddress.IPv4Interface, BeforeValidator(_text)]
Interface6 = Annotated[ipaddress.IPv6Interface, BeforeValidator(_text)]
"""An address with an optional prefix length: `10.10.1.1` or `10.10.1.1/16`."""
Network = Annotated[IPNetwork, BeforeValidator(_text)]
