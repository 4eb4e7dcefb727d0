"""A deployment's keys, and credentials made with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.identity import issue
from nrs.identity.credential import Credential, Role

NOW = 1_800_000_000.0
URL = "https://192.0.2.10:8080"
Make = Callable[..., Credential]


@pytest.fixture(scope="session")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def stranger() -> Ed25519PrivateKey:
    """The key of another deployment."""
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def make() -> Make:
    """A credential, of an endpoint where nothing else is said; each with a serial of its own."""
    numbers = itertools.count(1)

    def made(**changes: Any) -> Credential:
        stated: dict[str, Any] = {"role": Role.ENDPOINT, "id": "endpoint_1", "url": URL, "now": NOW}
        return issue.credential(
            **{**stated, "random": lambda size: next(numbers).to_bytes(size, "big"), **changes}
        )

    return made
