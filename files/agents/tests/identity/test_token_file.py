from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.identity import issue
from nrs.identity.revocations import Revocations, signed
from nrs.identity.token_file import Tokens, TokensRefused, read

from .conftest import NOW, URL, Make

OTHER = "https://[2001:db8::10]:8090"


def test_a_token_for_each_service(tmp_path: Path, key: Ed25519PrivateKey, make: Make) -> None:
    older, newer, other = (
        issue.token(made, key) for made in (make(), make(now=NOW + 1), make(url=OTHER))
    )
    path = tmp_path / "tokens"
    path.write_text(f"# of endpoint_1\n\n{older}\n  {other}  # controller\n{newer}\n")
    tokens = read(path)
    assert tokens.tokens_for(URL + "/decision") == (newer, older)
    assert tokens.tokens_for("HTTPS://[2001:DB8:0::10]:8090/") == (other,)
    assert tokens.tokens_for("https://192.0.2.99:8080") == ()
    with pytest.raises(ValueError, match="is no URL"):
        tokens.tokens_for("192.0.2.10")


def test_an_empty_file_holds_none(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("# nothing yet\n")
    assert read(path) == Tokens()


def test_a_shared_secret_is_refused_with_what_replaces_it(tmp_path: Path) -> None:
    path, secret = tmp_path / "api_token", "5ecre7" * 8
    path.write_text(f"# of all\n{secret}\n")
    with pytest.raises(TokensRefused) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}, line 2: ")
    assert text.endswith(f"nrs token create --role ROLE --id ID --service URL --file {path}")
    assert secret not in text


def test_what_is_signed_and_no_token(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = tmp_path / "tokens"
    path.write_text(signed(Revocations(1), key))
    with pytest.raises(TokensRefused, match=f"^{path}, line 1: not a token: it has no role"):
        read(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    for name, problem in (("binary", "not ASCII"), ("missing", "No such file")):
        with pytest.raises(TokensRefused, match=f"^{tmp_path / name}: {problem}"):
            read(tmp_path / name)
