"""What a codec tags with: what is said of it, and what NRS_CRYPTO may ask for."""

from __future__ import annotations

from typing import Any

import pytest

from nrs.tunnel import codec
from nrs.tunnel.codec import CodecError
from nrs.tunnel.codec.c import crypto as c_crypto
from nrs.tunnel.codec.crypto import Crypto, described

ONE, FEW, MANY = "libcrypto", "ipsec-mb sse/sha-ni", "ipsec-mb avx512"


def test_one_provider_for_all_is_its_name() -> None:
    assert described([FEW] * 5) == FEW


def test_each_provider_is_told_with_how_many_it_takes_at_a_time() -> None:
    assert described([ONE, FEW, FEW, FEW, MANY]) == (
        "libcrypto for 1 at a time, ipsec-mb sse/sha-ni for 2 to 15, ipsec-mb avx512 for more"
    )
    assert described([ONE, ONE, FEW, FEW, FEW]) == (
        "libcrypto for 1 to 3 at a time, ipsec-mb sse/sha-ni for more"
    )


@pytest.mark.parametrize("name", ["c", "python"])
@pytest.mark.parametrize("wanted", ["libcrypto", ""])
def test_both_codecs_have_libcrypto(
    name: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRS_CRYPTO", wanted)
    made = codec.load(name).crypto
    assert made.failed == ()
    if wanted or name == "python":
        assert made == Crypto("libcrypto")


@pytest.mark.parametrize("name", ["c", "python"])
def test_an_unknown_provider_is_refused_by_its_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRS_CRYPTO", "openssl")
    with pytest.raises(
        CodecError, match=r"^NRS_CRYPTO: found 'openssl'; allowed: libcrypto, ipsec"
    ):
        codec.load(name)


def test_the_codec_in_python_has_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRS_CRYPTO", "ipsec-mb")
    with pytest.raises(CodecError, match="NRS_CRYPTO=ipsec-mb: the codec in Python has none but"):
        codec.load("python")


class _Failing:
    """The library as it is where providers give wrong answers."""

    NRS_KINDS = c_crypto.lib.NRS_KINDS

    def __init__(self, chosen: bytes | None, *failed: bytes) -> None:
        new: Any = c_crypto.ffi.new
        self._chosen = c_crypto.ffi.NULL if chosen is None else new("char[]", chosen)
        self._wrong = [new("char[]", name) for name in failed]
        self.nrs_crypto_new = c_crypto.lib.nrs_crypto_new
        self.nrs_crypto_free = c_crypto.lib.nrs_crypto_free

    def nrs_crypto_chosen(self, _: object, kind: int) -> Any:
        return self._chosen

    def nrs_crypto_chosen_aead(self, _: object, cipher: int) -> Any:
        return self._chosen

    def nrs_crypto_failed(self, _: object, number: int) -> Any:
        return self._wrong[number] if number < len(self._wrong) else c_crypto.ffi.NULL


def test_a_provider_that_fails_is_told_and_the_others_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(c_crypto, "lib", _Failing(b"libcrypto", b"ipsec-mb avx2"))
    assert codec.load("c").crypto == Crypto("libcrypto", ("ipsec-mb avx2",))


def test_where_all_fail_nothing_is_tagged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c_crypto, "lib", _Failing(None, b"libcrypto", b"ipsec-mb avx2"))
    with pytest.raises(
        CodecError, match="NRS_CRYPTO: libcrypto, ipsec-mb avx2: wrong answers to what is known"
    ):
        codec.load("c")
