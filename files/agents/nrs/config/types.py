"""Field types that the configuration models share.

Every type refuses a value of another kind instead of converting it, so that a
quoted number or a bare integer in place of an address is an error at start.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PRINTABLE: dict[str, Any] = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"}
_URL = re.compile(
    r"https?://(\[(?P<v6>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9._-]+)(:(?P<port>\d{1,5}))?(/[^\s?#]*)?"
)
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
_SCOPED = re.compile(r"[^%]*(%[A-Za-z0-9_.-]{1,15})?")


def text_of(network: IPNetwork) -> str:
    """For people: a network of one address is shown as that."""
    return str(network.network_address if network.num_addresses == 1 else network)


def is_within(wanted: IPNetwork, network: IPNetwork) -> bool:
    """Whether it is `network` or a part of it."""
    return wanted.network_address in network and wanted.prefixlen >= network.prefixlen


class Section(BaseModel):
    """A mapping of a configuration file: unknown keys are refused, values frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _parsed_by(parse: Callable[[str], Any], kind: str) -> BeforeValidator:
    """Parse text with `parse`; instances pass, and every failure is one plain sentence."""

    def validate(value: Any) -> Any:
        if isinstance(value, (ipaddress._BaseAddress, ipaddress._BaseNetwork)):
            return value
        if not isinstance(value, str):
            raise ValueError(f"must be {kind}, as text")
        text = value.strip()
        if not _SCOPED.fullmatch(text):
            raise ValueError(f"must be {kind}")
        try:
            return parse(text)
        except ValueError as error:
            raise ValueError(f"must be {kind}{_host_bits(text, error)}") from None

    return BeforeValidator(validate)


def _scoped_where_link_local(value: Any) -> Any:
    if getattr(value, "scope_id", None) and not value.is_link_local:
        raise ValueError(f"names an interface, which only a link-local address has: {value}")
    return value


def _with_interface(address: IPAddress) -> IPAddress:
    if address.version == 6 and address.is_link_local and not address.scope_id:
        raise ValueError(f"{address} is link-local and needs its interface, as in {address}%eth0")
    return address


def _host_bits(text: str, error: ValueError) -> str:
    if "host bits" not in str(error):
        return ""
    meant = ipaddress.ip_network(text, strict=False)
    return f": it has host bits set; {meant} was probably meant"


def _host(value: Any) -> Any:
    if not isinstance(value, str) or not _HOST.fullmatch(value) or value[-1].isdecimal():
        raise ValueError("must be a host name such as router1.example.net")
    return value


def as_name(value: Any) -> str:
    """`value` where it is a name. Raises ValueError."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("must be 1 to 64 letters, digits, '_', '-' or '.', no sign first")
    return value


def _label(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("must not hold control characters")
    return value


def _url(value: Any) -> Any:
    match = _URL.fullmatch(value) if isinstance(value, str) else None
    if match is None or not _possible(match["v6"], match["port"]):
        raise ValueError("must be a URL such as http://192.0.2.10:8080")
    return value.rstrip("/")


def _possible(address6: str | None, port: str | None) -> bool:
    if port is not None and not 1 <= int(port) <= 65535:
        return False
    try:
        return address6 is None or bool(ipaddress.IPv6Address(address6))
    except ValueError:
        return False


def _different(ports: list[int]) -> list[int]:
    for port in ports:
        if ports.count(port) > 1:
            raise ValueError(f"port {port} is given twice")
    return ports


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Name = Annotated[
    str,
    BeforeValidator(as_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"}),
]
"""An identifier of a device or router; also safe as a file name and in a URL path."""

Label = Annotated[
    str, Field(min_length=1, max_length=128, json_schema_extra=_PRINTABLE), AfterValidator(_label)
]
"""What people call a device: any printable text."""

Line = Annotated[
    str, Field(min_length=1, max_length=256, json_schema_extra=_PRINTABLE), AfterValidator(_label)
]
"""A sentence for people: printable text on one line."""

LogLevel = Literal["debug", "info", "warning", "error"]
"""From which on records are written."""

CipherName = Literal["none", "aes-256-gcm", "chacha20-poly1305"]
"""What protects a tunnel's datagrams; none: they are clear text under HMAC-SHA256."""

Url = Annotated[str, BeforeValidator(_url)]
Urls = Annotated[list[Url], BeforeValidator(_one_or_more), Field(min_length=1)]
"""One URL or a list of URLs, always held as a list."""

HostName = Annotated[str, BeforeValidator(_host)]
"""A name for DNS or /etc/hosts; one that ends in a digit is an address, or a mistyped one."""
Mtu = Annotated[int, Field(strict=True, ge=1280, le=8900)]
"""Of a TUN device: what IPv6 needs, and what a path of 9000 bytes carries in one datagram."""
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Ports = Annotated[list[Port], Field(min_length=1, max_length=8), AfterValidator(_different)]
"""Of one host, the one that is preferred first."""
EPOCHS = 256
Epoch = Annotated[int, Field(strict=True, ge=0, lt=EPOCHS)]
"""Which key of a row of keys this is: what a HELLO names as its key id."""
Seconds = Annotated[float, Field(strict=True, gt=0, le=86400, allow_inf_nan=False)]
Interface = Annotated[str, StringConstraints(pattern=r"^[^\s/:]{1,15}$", strict=True)]
Address = Annotated[
    IPAddress,
    _parsed_by(ipaddress.ip_address, "an IPv4 or IPv6 address"),
    AfterValidator(_scoped_where_link_local),
]
UnderlayAddress = Annotated[Address, AfterValidator(_with_interface)]
"""Where tunnel datagrams come from or go to: a link-local one with its interface."""
Address4 = Annotated[ipaddress.IPv4Address, _parsed_by(ipaddress.IPv4Address, "an IPv4 address")]
Address6 = Annotated[ipaddress.IPv6Address, _parsed_by(ipaddress.IPv6Address, "an IPv6 address")]
Interface4 = Annotated[
    ipaddress.IPv4Interface,
    _parsed_by(ipaddress.IPv4Interface, "an IPv4 address with or without a prefix length"),
]
Interface6 = Annotated[
    ipaddress.IPv6Interface,
    _parsed_by(ipaddress.IPv6Interface, "an IPv6 address with or without a prefix length"),
]
"""An address with an optional prefix length: `10.10.1.1` or `10.10.1.1/16`."""
Network = Annotated[
    IPNetwork, _parsed_by(ipaddress.ip_network, "a network such as 10.0.0.0/8 or fd00::/8")
]
