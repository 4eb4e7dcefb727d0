"""Whom a service believes, as its configuration and its state directory have it."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

from nrs.api.auth import LOOPBACK_NAMES, Trust
from nrs.config import text_file
from nrs.config.service_api import LOOPBACK, ServiceApi
from nrs.identity.audience import audience_of
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import OlderList, RevocationsRefused
from nrs.identity.verifier import Verifier

_FILE_NAME = "revocations"

log = logging.getLogger(__name__)


def trust_of(
    api: ServiceApi, directory: Path | None, before: RevocationFile | None = None
) -> Trust:
    """Whom to believe; without a `directory` nothing can be revoked.

    What was revoked `before`, in this process, stays so, though it could not be stored. Raises
    RevocationsRefused for a damaged list.
    """
    names = LOOPBACK_NAMES | {urlsplit(url).hostname or "" for url in api.urls or ()}
    if not api.signers:
        return Trust(refused=api.refused_networks, names=names)
    revocations = None
    if directory is None:
        log.warning("tokens cannot be revoked here: there is no state directory for the list")
    else:
        revocations = RevocationFile(directory / _FILE_NAME, api.signers)
        if before is not None and before.text is not None:
            _take(revocations, before.text, "the list in force")
        put_there = api.revocations_file and text_file.find(api.revocations_file)
        if put_there:
            _take(revocations, put_there.strip(), str(api.revocations_file))
    return Trust(
        verifier=Verifier(api.signers, map(audience_of, api.urls or ())),
        revocations=revocations,
        secret=api.shared_token,
        readers=LOOPBACK if api.loopback_reads else (),
        refused=api.refused_networks,
        names=names,
    )


def _take(revocations: RevocationFile, text: str, where: str) -> None:
    """Go by the list, unless a newer one is in force."""
    try:
        revocations.take(text)
    except OlderList:
        pass
    except OSError as error:
        log.error("the list of revocations is in force and cannot be stored: %s", error)
    except RevocationsRefused as error:
        if revocations.in_force.number == 0:
            raise RevocationsRefused(f"{where}: {error}") from None
        log.warning("%s is not taken: %s", where, error)
