"""TLS 1.3 at both ends: what a service shows, what a client goes by, and why it did not trust."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from nrs.config.common import Api

_PATIENCE_S = 2.0


def served_by(api: Api) -> ssl.SSLContext | None:
    """What a service with this configuration shows; None for plain HTTP. Raises ValueError."""
    if api.certificate_file is None or api.key_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Nobody resumes a session here, and two tickets for each would be made in vain.
    context.num_tickets = 0
    try:
        context.load_cert_chain(api.certificate_file, api.key_file)
    except OSError as error:
        raise ValueError(f"cannot use {api.certificate_file}: {error}") from None
    return context


def client() -> ssl.SSLContext:
    """Of one that verifies, without anybody whom it trusts so far."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def distrust(error: BaseException, url: str, ca_file: Path | None) -> str | None:
    """Why the certificate of `url` was refused, in one line; None where something else failed."""
    reason = _of_certificate(error)
    if reason is None:
        return None
    from nrs.config import certificates  # noqa: PLC0415 - keeps companions' start quick

    shown = _shown(url)
    what = "its certificate"
    if shown is not None:
        what += f", {certificates.described(shown)},"
    trusted = "api.ca_file names no CA, so only public ones are trusted"
    if ca_file is not None:
        trusted = f"trusted is {certificates.listed(ca_file)}"
    return f"{what} is not trusted: {reason.verify_message}; {trusted}"


def _of_certificate(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The cause below what the HTTP libraries wrap around it."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        seen.append(error)
        inner = getattr(error, "reason", None) or next(iter(error.args), None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__
    return None


def _shown(url: str) -> bytes | None:
    """What the server shows, trusted or not; nothing is said to it."""
    place = urlsplit(url)
    context = client()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((place.hostname, place.port or 443), _PATIENCE_S) as sock,
            context.wrap_socket(sock) as wrapped,
        ):
            return wrapped.getpeercert(binary_form=True)
    except OSError:
        return None
