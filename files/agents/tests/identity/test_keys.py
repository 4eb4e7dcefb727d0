from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.identity import keys
from nrs.identity.key_file import create
from nrs.identity.keys import KeyRefused, public_text, read_private, read_public


def test_a_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "signing_key"
    made = create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_private(path).private_bytes_raw() == made.private_bytes_raw()
    before = path.read_bytes()
    with pytest.raises(KeyRefused, match=f"^{path} is there already"):
        create(path)
    assert path.read_bytes() == before


def test_it_is_made_nowhere_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="No such file"):
        create(tmp_path / "missing" / "signing_key")


def test_a_public_file_may_hold_several(
    tmp_path: Path, key: Ed25519PrivateKey, stranger: Ed25519PrivateKey
) -> None:
    path = tmp_path / "public_keys"
    both = (key.public_key(), stranger.public_key())
    path.write_text("made in spring\n" + public_text(both) + "\n")
    assert read_public(path) == both
    path.write_text(public_text(both[1:]))
    assert read_public(path) == both[1:]


def elliptic() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem_of(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, password: bytes = b"") -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    ).decode()


def public_of(key: ec.EllipticCurvePrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def test_what_is_no_signing_key(key: Ed25519PrivateKey, tmp_path: Path) -> None:
    for text, problem in (
        ("", "not a private key"),
        ("0" * 64, "not a private key"),
        (public_text([key.public_key()]), "not a private key"),
        (pem_of(key, b"password"), "with a password"),
        (pem_of(elliptic()), "not of Ed25519"),
    ):
        with pytest.raises(KeyRefused, match=problem):
            keys.private_key(text)
    (tmp_path / "key").write_bytes(b"\xff")
    for path, problem in ((tmp_path / "key", "PEM text"), (tmp_path / "none", "No such file")):
        with pytest.raises(KeyRefused, match=f"^{path}: .*{problem}"):
            read_private(path)


def test_what_holds_no_public_keys(key: Ed25519PrivateKey, tmp_path: Path) -> None:
    good = public_text([key.public_key()])
    for text, problem in (
        ("", "no public key"),
        (good.replace("MCow", "AAAA"), "damaged"),
        (good + public_of(elliptic()), "not of Ed25519"),
        (good + pem_of(key), "stays on the control node"),
    ):
        path = tmp_path / "public_keys"
        path.write_text(text)
        with pytest.raises(KeyRefused, match=f"^{path}: .*{problem}") as caught:
            read_public(path)
        assert "MC4C" not in str(caught.value)
