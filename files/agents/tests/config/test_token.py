from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from nrs.config import api as api_section
from nrs.config.api import Api
from nrs.config.service_api import ServiceApi
from nrs.identity.keys import public_text
from tests.signing import Signing

SECRET = "0123456789abcdef" * 2
URL = "https://192.0.2.10:8080"
OTHER = "https://192.0.2.11:8090"
MAKES = "nrs token create --role ROLE --id ID --service URL"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "api_token"
    monkeypatch.setattr(api_section, "DEFAULT_TOKEN_FILE", path)
    return path


@pytest.fixture
def token(tmp_path: Path) -> str:
    return Signing(tmp_path).token(URL)


def refused(model: type[Api] = Api, **stated: object) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(stated)
    (error,) = caught.value.errors()
    assert "\n" not in error["msg"]
    return error["msg"].removeprefix("Value error, ")


def test_in_the_file(token: str) -> None:
    """Each goes to the one service that it is for."""
    api = Api.model_validate({"token": token})
    assert api.tokens([URL], None, [OTHER]) == {URL: token}


def test_in_a_file_of_its_own(token: str, tmp_path: Path) -> None:
    path, other = tmp_path / "token", Signing(tmp_path).token(OTHER)
    path.write_text(f"# for two services\n{token}\n{other}\n")
    api = Api.model_validate({"token_file": str(path)})
    assert api.tokens([URL, OTHER]) == {URL: token, OTHER: other}


def test_the_installed_one_is_used_where_there_is_one(token: str, installed: Path) -> None:
    assert Api().tokens([URL]) == {}
    installed.write_text(token + "\n")
    assert Api().tokens([URL]) == {URL: token}
    assert Api.model_validate({"token": Signing(installed.parent).token(OTHER)}).tokens([URL]) == {}


def test_an_installed_one_that_cannot_be_read_is_not_passed_over(installed: Path) -> None:
    installed.mkdir()
    assert refused().endswith("Is a directory")


@pytest.mark.parametrize(
    "text", [SECRET, "", "short", "a" * 20 + " " + "b" * 20, "\u00fc" * 32, "s" * 43]
)
def test_a_secret_that_all_share_is_refused_with_what_replaces_it(
    text: str, tmp_path: Path
) -> None:
    where = "token holds no signed token, and a secret that all share is not accepted"
    assert refused(token=text) == (
        f"{where}: write token_file: FILE, with what this makes: {MAKES} --file FILE"
    )
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    said = refused(token_file=str(path))
    if text.isascii():
        assert said == (
            f"token_file: {path} holds no signed token, and a secret that all share is not"
            f" accepted: write token_file: {path}, with what this makes: {MAKES} --file {path}"
        )
    assert not text or text not in said.replace(str(path), "")


def test_a_damaged_token_is_named_with_its_line(token: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{token}\n{token[:40]}..x\n")
    assert refused(token_file=str(path)).startswith(f"token_file: {path}, line 2: not a token")
    assert refused(token="..").startswith("token, line 1: not a token")  # noqa: S106


def test_a_host_starts_with_the_secret_that_an_earlier_deployment_left_there(
    installed: Path,
) -> None:
    """It has the release before it has tokens, and a restart meanwhile costs no tunnel."""
    installed.write_text(SECRET + "\n")
    for api in (Api(), Api.model_validate({"token_file": str(installed)})):
        assert api.tokens([URL]) == {URL: SECRET}
        warning = api.left_secret_warning
        assert warning is not None
        assert SECRET not in warning
        assert warning.startswith(f"api: token_file: {installed} holds the secret that all shared")
        assert warning.endswith(f"{MAKES} --file {installed}")
    installed.write_text("short")
    assert refused().startswith(f"token_file: {installed} holds no signed token")
    installed.unlink()
    assert Api().left_secret_warning is None


def test_a_service_does_not_start_with_it(installed: Path) -> None:
    installed.write_text(SECRET + "\n")
    said = refused(ServiceApi)
    assert said == (
        f"token_file: {installed} holds no signed token, and a secret that all share is not"
        " accepted: write signers_file: FILE, which `nrs token keys` makes, and urls: [URL], as"
        f" others call this service; each caller shows what this makes: {MAKES}"
    )
    assert refused(ServiceApi, token=SECRET) == said.replace(f"token_file: {installed}", "token")


def test_only_one_place(token: str, tmp_path: Path) -> None:
    assert refused(token=token, token_file=str(tmp_path)).endswith("not both")
    assert refused(token_file=str(tmp_path / "missing")).endswith("No such file or directory")


def test_a_token_is_not_printed(token: str) -> None:
    assert token not in repr(Api.model_validate({"token": token}))


@pytest.fixture
def signers(tmp_path: Path) -> Path:
    path = tmp_path / "signers"
    path.write_text(public_text([Ed25519PrivateKey.generate().public_key()]))
    return path


def test_a_service_may_take_the_secret_too_until_devices_have_tokens(
    signers: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.write_text(SECRET + "\n")
    stated = {"urls": [URL], "signers_file": str(signers)}
    assert ServiceApi.model_validate(stated).shared_token is None
    both = ServiceApi.model_validate({**stated, "shared_token_file": str(shared)})
    assert both.signers and both.shared_token == SECRET
    assert refused(ServiceApi, **stated, token=SECRET).endswith(f"{MAKES} --file FILE")
    shared.write_text("short")
    said = refused(ServiceApi, **stated, shared_token_file=str(shared))
    assert said.startswith(f"{shared} must have at least 32")
    missing = refused(ServiceApi, **stated, shared_token_file=str(tmp_path / "none"))
    assert missing.startswith("cannot read")
    alone = refused(ServiceApi, shared_token_file=str(shared))
    assert alone.startswith("shared_token_file goes with signers_file: write signers_file: FILE")
