"""Whom a service believes, out of its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.api.trust import trust_of
from nrs.config import api as api_section
from nrs.config.service_api import ServiceApi
from nrs.identity.keys import public_text

SECRET = "s" * 43


@pytest.mark.parametrize("shares", [True, False])
def test_signers_and_the_secret_that_devices_have_yet_to_give_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: bool
) -> None:
    monkeypatch.setattr(api_section, "DEFAULT_TOKEN_FILE", tmp_path / "none")
    signers, shared = tmp_path / "signers", tmp_path / "shared"
    signers.write_text(public_text([Ed25519PrivateKey.generate().public_key()]))
    shared.write_text(SECRET)
    stated: dict[str, object] = {"urls": ["http://lb:8080"], "signers_file": str(signers)}
    if shares:
        stated["shared_token_file"] = str(shared)
    trust = trust_of(ServiceApi.model_validate(stated), None)
    assert trust.verifier is not None
    assert trust.secret == (SECRET if shares else None)
    assert not trust.readers


def test_without_signers_nobody_is_believed() -> None:
    trust = trust_of(ServiceApi(), None)
    assert (trust.verifier, trust.secret, list(trust.readers)) == (None, None, [])
