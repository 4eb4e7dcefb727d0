"""Whom a service believes, as its configuration and its state directory have it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from nrs.api.auth import LOOPBACK_NAMES, Trust
from nrs.config.service_api import LOOPBACK, ServiceApi
from nrs.identity.audience import audience_of
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import RevocationsRefused
from nrs.identity.verifier import Verifier

_FILE_NAME = "revocations"


def trust_of(api: ServiceApi, directory: Path | None) -> Trust:
    """Raises RevocationsRefused for a damaged list, OSError where it cannot be kept."""
    names = LOOPBACK_NAMES | {urlsplit(url).hostname or "" for url in api.urls or ()}
    if not api.signers:
        return Trust(
            secret=api.shared_token,
            readers=api.trusted_networks,
            refused=api.refused_networks,
            names=names,
        )
    revocations = None
    if directory is not None:
        revocations = RevocationFile(directory / _FILE_NAME, api.signers)
        _take(revocations, api.revocations_file)
    return Trust(
        verifier=Verifier(api.signers, map(audience_of, api.urls or ())),
        revocations=revocations,
        secret=api.shared_token,
        readers=LOOPBACK if api.loopback_reads else (),
        refused=api.refused_networks,
        names=names,
    )


def _take(revocations: RevocationFile, path: Path | None) -> None:
    """Go by the list that was put there, unless a newer one is in force."""
    if path is None or not path.exists():
        return
    try:
        revocations.take(path.read_text(encoding="ascii").strip())
    except RevocationsRefused as error:
        if revocations.in_force.number == 0:
            raise RevocationsRefused(f"{path}: {error}") from None
