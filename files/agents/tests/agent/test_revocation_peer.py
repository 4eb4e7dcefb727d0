from __future__ import annotations

import logging
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask, jsonify
from testbed.ports import free_port

from nrs.agent.revocation_peer import RevocationPeer
from nrs.api import revoked, service
from nrs.api.auth import Trust
from nrs.identity import issue, revocations
from nrs.identity.credential import Role
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import Revocations
from nrs.identity.verifier import Verifier
from tests.api.callers import NOW, credential
from tests.serving import serving

KEY = Ed25519PrivateKey.generate()


def kept(directory: Path) -> RevocationFile:
    directory.mkdir()
    return RevocationFile(directory / "revocations", [KEY.public_key()])


def test_a_list_that_one_was_told_reaches_its_sibling(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = kept(tmp_path / "one"), kept(tmp_path / "other")
    caplog.set_level(logging.INFO, "nrs.agent.revocation_peer")
    url = f"http://127.0.0.1:{free_port()}"
    trust = Trust(Verifier([KEY.public_key()], [url]), one)
    app = service.create_app("example", trust, clock=lambda: NOW)
    revoked.add_routes(app)
    with serving(app) as port:
        token = issue.token(credential(Role.SERVICE, "other", url=url), KEY)
        real = f"http://127.0.0.1:{port}"
        peer = RevocationPeer(real, {real: token}, None, other)
        peer.ask()
        assert other.in_force.number == 0
        one.take(revocations.signed(Revocations(3, frozenset({"a" * 16})), KEY))
        peer.ask()
        assert other.in_force == one.in_force
        other.take(revocations.signed(Revocations(4), KEY))
        peer.ask()
        assert other.in_force.number == 4
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_a_sibling_that_does_not_answer_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    peer = RevocationPeer(url, {}, None, kept(tmp_path / "one"))
    peer.ask()
    peer.ask()
    told = [record.message for record in caplog.records if record.name.startswith("nrs.")]
    assert told == [f"no list of revocations from {url}: {url}: connection failed"]


@pytest.mark.parametrize("answer", [[], {"revocations": 5}, {"revocations": "x"}, "x", None])
def test_a_sibling_that_was_taken_over_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: object
) -> None:
    app = Flask("sibling")
    app.add_url_rule("/revocations", view_func=lambda: jsonify(answer))
    with serving(app) as port:
        own = kept(tmp_path / "one")
        peer = RevocationPeer(f"http://127.0.0.1:{port}", {}, None, own)
        peer.ask()
    assert own.in_force.number == 0
    assert "no list of revocations from" in caplog.text
