"""TLS 1.3 at both ends: what a service shows, what a client goes by, and why it did not trust."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

from nrs.config.service_api import ServiceApi


def served_by(api: ServiceApi) -> ssl.SSLContext | None:
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
    # Companions start without what reads certificates.
    from nrs.identity import certificate, peer  # noqa: PLC0415

    if ca_file is None:
        trusted = "api.ca_file names no CA, so only public ones are trusted"
        return f"its certificate is not trusted: {reason.verify_message}; {trusted}"
    try:
        found = peer.problem_of(url, certificate.read(ca_file), time.time())
    except certificate.CertificateRefused as refused:
        return str(refused)
    why = reason.verify_message if found is None else found.removeprefix(f"{url}: ")
    return f"not trusted by {ca_file}: {why}"


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
