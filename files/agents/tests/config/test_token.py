from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from nrs.config import api as api_section
from nrs.config.api import Api
from nrs.config.service_api import ServiceApi
from nrs.identity.keys import public_text

TOKEN = "0123456789abcdef" * 2


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "api_token"
    monkeypatch.setattr(api_section, "DEFAULT_TOKEN_FILE", path)
    return path


def test_in_the_file() -> None:
    assert Api.model_validate({"token": TOKEN}).bearer_token == TOKEN


def test_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    assert Api.model_validate({"token_file": str(path)}).bearer_token == TOKEN


def test_the_installed_one_is_used_where_there_is_one(installed: Path) -> None:
    assert Api().bearer_token is None
    installed.write_text(TOKEN + "\n")
    assert Api().bearer_token == TOKEN
    assert Api.model_validate({"token": "b" * 32}).bearer_token == "b" * 32


def test_an_installed_one_that_cannot_be_read_is_not_passed_over(installed: Path) -> None:
    installed.mkdir()
    with pytest.raises(ValidationError, match=r"cannot read .*Is a directory"):
        Api()


@pytest.mark.parametrize("token", ["", "short", "a" * 31, "a" * 20 + " " + "b" * 20, "ü" * 32])
def test_what_is_no_token_is_refused(token: str, installed: Path) -> None:
    with pytest.raises(ValidationError) as caught:
        Api.model_validate({"token": token})
    assert "32 characters" in str(caught.value)
    installed.write_text(token, encoding="utf-8")
    with pytest.raises(ValidationError):
        Api()


def test_only_one_place(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="not both"):
        Api.model_validate({"token": TOKEN, "token_file": str(tmp_path)})
    with pytest.raises(ValidationError, match="No such file"):
        Api.model_validate({"token_file": str(tmp_path / "missing")})


def test_a_token_is_not_printed() -> None:
    assert TOKEN not in repr(Api.model_validate({"token": TOKEN}))


def test_loopback_is_trusted_by_default() -> None:
    assert [str(network) for network in ServiceApi().trusted_networks] == ["127.0.0.0/8", "::1/128"]


@pytest.fixture
def signers(tmp_path: Path) -> Path:
    path = tmp_path / "signers"
    path.write_text(public_text([Ed25519PrivateKey.generate().public_key()]))
    return path


def test_a_service_may_take_the_secret_too_until_devices_have_tokens(
    signers: Path, tmp_path: Path, installed: Path
) -> None:
    shared = tmp_path / "shared"
    shared.write_text(TOKEN + "\n")
    stated = {"urls": ["http://192.0.2.1:8080"], "signers_file": str(signers)}
    assert ServiceApi.model_validate(stated).shared_token is None
    both = ServiceApi.model_validate({**stated, "shared_token_file": str(shared)})
    assert both.signers and both.shared_token == TOKEN
    assert both.bearer_token is None
    shared.write_text("short")
    with pytest.raises(ValidationError, match=f"{shared} must have at least 32"):
        ServiceApi.model_validate({**stated, "shared_token_file": str(shared)})
    with pytest.raises(ValidationError, match="cannot read"):
        ServiceApi.model_validate({**stated, "shared_token_file": str(tmp_path / "none")})
    with pytest.raises(ValidationError, match="shared_token_file goes with signers_file"):
        ServiceApi.model_validate({"shared_token_file": str(shared)})


def test_without_signers_the_one_token_is_what_callers_show(installed: Path) -> None:
    assert ServiceApi.model_validate({"token": TOKEN}).shared_token == TOKEN
