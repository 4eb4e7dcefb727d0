"""TLS 1.3 at both ends: what a service shows, what a client goes by, and why it did not trust."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
    """Of one that verifies, without anybody whom it trusts so far.

    Where a certificate names URLs, it is taken at the ports of those alone: another service of the
    same host has the host's names and addresses too.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.sslsocket_class = _OfOneService
    return context


class _OfOneService(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        host, port = self.server_hostname or "", self.getpeername()[1]
        if not is_of(self.getpeercert() or {}, host, port):
            error = ssl.SSLCertVerificationError("another service's certificate")
            error.verify_message = f"it is not for port {port} of {host}"
            raise error


def is_of(shown: Mapping[str, Any], host: str, port: int) -> bool:
    """Whether a certificate, as `getpeercert` has it, is for the service at this port."""
    stated = [value for kind, value in shown.get("subjectAltName", ()) if kind == "URI"]
    urls = [urlsplit(url) for url in stated if url.startswith("https://")]
    return not urls or (_spelled(host), port) in {(url.hostname, url.port) for url in urls}


def _spelled(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower()


def distrust(error: BaseException, url: str, ca_file: Path | None) -> str | None:
    """Why the certificate of `url` was refused, in one line; None where something else failed."""
    reason = _of_certificate(error)
    if reason is None:
        return None
    # Companions start without what reads certificates.
    from nrs.identity import certificate, peer  # noqa: PLC0415
    from nrs.identity.credential import date  # noqa: PLC0415

    shown, why = peer.shown_at(url), reason.verify_message
    until = "" if shown is None else f" (until {date(certificate.ends(shown.first))})"
    if ca_file is None:
        trusted = "api.ca_file names no CA, so only public ones are trusted"
        return f"its certificate{until} is not trusted: {why}; {trusted}"
    try:
        authorities = certificate.read(ca_file)
    except certificate.CertificateRefused as refused:
        return str(refused)
    found = None
    if shown is not None:
        found = certificate.problem(shown, now=time.time(), authorities=authorities, url=url)
    why = f"the certificate{until}: {why}" if found is None else found.removeprefix(f"{url}: ")
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
