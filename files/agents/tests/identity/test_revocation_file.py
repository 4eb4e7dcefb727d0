from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import Revocations, RevocationsRefused, signed

FIRST = Revocations().with_serials(["00000000000000aa"])
SECOND = FIRST.with_id("endpoint_1", 5.0)


def opened(path: Path, key: Ed25519PrivateKey) -> RevocationFile:
    return RevocationFile(path, [key.public_key()])


def test_none_at_first(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    file = opened(tmp_path / "revocations", key)
    assert (file.in_force, file.text) == (Revocations(), None)


def test_what_is_taken_outlives_a_restart(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path, text = tmp_path / "revocations", signed(FIRST, key)
    file = opened(path, key)
    assert file.take(text)
    assert not file.take(text)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    for one in (file, opened(path, key)):
        assert (one.in_force, one.text) == (FIRST, text)
    assert [entry.name for entry in tmp_path.iterdir()] == ["revocations"]


def test_it_never_goes_back(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = tmp_path / "revocations"
    opened(path, key).take(signed(SECOND, key))
    again = opened(path, key)
    with pytest.raises(RevocationsRefused, match="number 1 is older than number 2"):
        again.take(signed(FIRST, key))
    with pytest.raises(RevocationsRefused, match="another list of the number 2"):
        again.take(signed(Revocations(2), key))
    assert again.in_force == SECOND
    assert opened(path, key).in_force == SECOND


def test_a_list_of_others_changes_nothing(
    tmp_path: Path, key: Ed25519PrivateKey, stranger: Ed25519PrivateKey
) -> None:
    file = opened(tmp_path / "revocations", key)
    with pytest.raises(RevocationsRefused, match="not signed by this deployment"):
        file.take(signed(FIRST, stranger))
    assert file.in_force == Revocations()
    assert not (tmp_path / "revocations").exists()


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xff\xfe", b"eyJhbGciOiJub25lIn0.e30."])
def test_a_damaged_file_is_refused_by_name(
    tmp_path: Path, key: Ed25519PrivateKey, damage: bytes
) -> None:
    path = tmp_path / "revocations"
    path.write_bytes(damage)
    with pytest.raises(RevocationsRefused, match=f"^{path}: "):
        opened(path, key)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    with pytest.raises(RevocationsRefused, match="Is a directory"):
        opened(tmp_path, key)


def test_a_list_that_cannot_be_kept_is_in_force_and_kept_later(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    path, text = tmp_path / "later" / "revocations", signed(FIRST, key)
    file = opened(path, key)
    with pytest.raises(FileNotFoundError):
        file.take(text)
    assert file.in_force == FIRST
    with pytest.raises(FileNotFoundError):
        file.take(text)
    path.parent.mkdir()
    assert not file.take(text)
    assert opened(path, key).in_force == FIRST


def test_without_a_file_it_is_kept_in_memory(key: Ed25519PrivateKey) -> None:
    held = RevocationFile(None, [key.public_key()])
    assert held.take(signed(Revocations(2), key))
    assert (held.in_force.number, held.unstored) == (2, None)


def test_other_keys_are_believed_and_the_list_stays(
    tmp_path: Path, key: Ed25519PrivateKey, stranger: Ed25519PrivateKey
) -> None:
    held = RevocationFile(tmp_path / "revocations", [key.public_key()])
    held.take(signed(Revocations(2), key))
    held.believe([stranger.public_key()])
    assert held.in_force.number == 2
    with pytest.raises(RevocationsRefused, match="not signed by this deployment"):
        held.take(signed(Revocations(3), key))
    assert held.take(signed(Revocations(3), stranger))
