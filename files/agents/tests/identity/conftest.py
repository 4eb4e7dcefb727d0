"""A deployment's keys, and credentials made with them."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.identity import authority, issue
from nrs.identity.authority import Authority, new_authority, new_key, server_certificate
from nrs.identity.credential import Credential, Role

from .certificates import TODAY, Serve

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


@pytest.fixture(scope="session")
def ca() -> Authority:
    return new_authority(TODAY)


@pytest.fixture(scope="session")
def other_ca() -> Authority:
    return new_authority(TODAY)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers on loopback that shake hands by TLS and close."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def start(
        ca: Authority,
        *hosts: str,
        now: float = TODAY,
        chain: Sequence[x509.Certificate] = (),
    ) -> int:
        key = new_key()
        own = server_certificate(ca, key.public_key(), hosts, now)
        file = tmp_path / f"server_{len(threads)}.pem"
        file.write_text(authority.key_text(key) + authority.text([own, *chain]))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.05)
        threads.append(threading.Thread(target=_shake_hands, args=(listener, context, stop)))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def _shake_hands(listener: socket.socket, context: ssl.SSLContext, stop: threading.Event) -> None:
    with listener:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                plain, _ = listener.accept()
                with plain:
                    plain.settimeout(60)
                    context.wrap_socket(plain, server_side=True).close()
