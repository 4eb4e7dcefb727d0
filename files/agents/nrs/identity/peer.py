"""Why a server's certificate is not taken: by looking at it without trusting it."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from nrs.identity.certificate import Bundle, CertificateRefused, parse, problem

_TIMEOUT_S = 5.0


def problem_of(url: str, authorities: Bundle, now: float) -> str | None:
    """The line on the certificate that the server at `url` shows; None where it is good.

    None, too, where the server does not show one. Raises ValueError for what is no URL.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        pem = ssl.get_server_certificate((host, port), timeout=_TIMEOUT_S)
        shown = parse(pem.encode(), url)
    except (OSError, CertificateRefused):
        return None
    return problem(shown, now=now, authorities=authorities, host=host)
