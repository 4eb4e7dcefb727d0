# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS as the modules go by it: whom they trust, and the dates of whom they do not."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

_UTC_TIME = 0x17
_VERSION = 0xA0


def context(ca_path: str | None, validate: bool) -> ssl.SSLContext:
    """Trusts the CAs in the file, or the public ones; anybody where nothing is to be validated.

    Where a certificate names URLs, it is taken at the ports of those alone: another service of the
    same host has the host's names and addresses too. Raises OSError.
    """
    made = ssl.create_default_context(cafile=ca_path)
    made.sslsocket_class = _OfOneService
    if not validate:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


class _OfOneService(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        host, port = self.server_hostname or "", self.getpeername()[1]
        if not is_of(self.getpeercert() or {}, host, port):
            error = ssl.SSLCertVerificationError("another service's certificate")
            error.verify_message = "it is not for port %d of %s" % (port, host)
            raise error


def is_of(shown: dict[str, Any], host: str, port: int) -> bool:
    """Whether a certificate, as C(getpeercert) has it, is for the service at this port."""
    stated = [value for kind, value in shown.get("subjectAltName", ()) if kind == "URI"]
    urls = [urlsplit(url) for url in stated if url.startswith("https://")]
    return not urls or (_spelled(host), port) in {(url.hostname, url.port) for url in urls}


def _spelled(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower()


def dates_at(host: str, port: int, timeout: float) -> str | None:
    """From when until when the certificate is that a server shows; None where it shows none."""
    try:
        # Of the library's own function only Python 3.10 and later can end the wait.
        with (
            socket.create_connection((host, port), timeout) as plain,
            context(None, validate=False).wrap_socket(plain, server_hostname=host) as server,
        ):
            begin, end = validity(server.getpeercert(True) or b"")
    except (OSError, ValueError, IndexError):
        return None
    return "%s until %s" % (begin.strftime("%Y-%m-%d %H:%M"), end.strftime("%Y-%m-%d %H:%M UTC"))


def validity(der: bytes) -> tuple[datetime, datetime]:
    """Begin and end of a certificate (RFC 5280 section 4.1). Raises ValueError, IndexError.

    Python tells them of none that it did not verify, and hosts need not have a library that does.
    """
    signed = _parts(_parts(_parts(der)[0][1])[0][1])
    after_version = signed[1:] if signed[0][0] == _VERSION else signed
    begin, end = _parts(after_version[3][1])
    return _time(*begin), _time(*end)


def _parts(der: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents, one behind the other (X.690 section 8.1)."""
    found, place = [], 0
    while place < len(der):
        tag, length = der[place], der[place + 1]
        place += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[place : place + size], "big")
            place += size
        found.append((tag, der[place : place + length]))
        place += length
    return found


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
