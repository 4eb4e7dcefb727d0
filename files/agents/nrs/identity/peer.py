"""Which certificate a server shows: by looking at it without trusting it."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from nrs.identity.certificate import Bundle, CertificateRefused, parse

_TIMEOUT_S = 5.0


def shown_at(url: str) -> Bundle | None:
    """The certificate that the server at `url` shows, called so; None where it shows none.

    Raises ValueError for what is no URL.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        pem = ssl.get_server_certificate((host, port), timeout=_TIMEOUT_S)
        return parse(pem.encode(), url)
    except (OSError, CertificateRefused):
        return None
