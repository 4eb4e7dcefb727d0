from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ValidationError

from nrs.balancer.config import LoadBalancerConfig
from nrs.config.loader import ConfigError, build
from nrs.config.service_api import ServiceApi
from nrs.controller.config import NetworkControllerConfig
from nrs.identity.keys import public_text
from tests.api.certified import DAY, NOW, Authority


def refused(**keys: Path) -> str:
    with pytest.raises(ValidationError) as caught:
        ServiceApi(**keys)  # type: ignore[arg-type]
    return str(caught.value.errors()[0]["msg"])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_pair_and_an_authority(authority: Authority) -> None:
    certificate, key = authority.certify("one", "192.0.2.1")
    api = ServiceApi(certificate_file=certificate, key_file=key, ca_file=authority.file)
    assert api.certificate_file == certificate


def test_one_without_the_other(authority: Authority) -> None:
    certificate, key = authority.certify("one", "192.0.2.1")
    assert "both of certificate_file and key_file" in refused(certificate_file=certificate)
    assert "both of certificate_file and key_file" in refused(key_file=key)


def test_an_end_that_has_come_and_a_begin_that_has_not(authority: Authority) -> None:
    certificate, key = authority.certify("old", "192.0.2.1", begin=NOW - 9 * DAY, end=NOW - DAY)
    expected = f"{certificate}: the certificate expired on {(NOW - DAY).date()}"
    assert expected in refused(certificate_file=certificate, key_file=key)
    certificate, key = authority.certify("soon", "192.0.2.1", begin=NOW + DAY)
    expected = f"{certificate}: the certificate is not valid before {(NOW + DAY).date()}"
    assert expected in refused(certificate_file=certificate, key_file=key)


def test_the_key_of_another(authority: Authority) -> None:
    certificate, _ = authority.certify("one", "192.0.2.1")
    _, key = authority.certify("two", "192.0.2.1")
    said = refused(certificate_file=certificate, key_file=key)
    assert f"{key} is not the key of the certificate (until {(NOW + 9 * DAY).date()}" in said
    assert f" in {certificate}" in said


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nx\n"])
def test_what_cannot_be_read_is_named(authority: Authority, content: bytes | None) -> None:
    certificate, key = authority.certify("one", "192.0.2.1")
    bad = certificate.with_name("bad.pem")
    if content is not None:
        bad.write_bytes(content)
    assert str(bad) in refused(certificate_file=bad, key_file=key)
    assert str(bad) in refused(certificate_file=certificate, key_file=bad)
    if content is None or b"BEGIN" not in content:
        assert str(bad) in refused(ca_file=bad)


SERVICES = (
    (LoadBalancerConfig, "load_balancer.yaml", "server"),
    (NetworkControllerConfig, "network_controller.yaml", "controller"),
)


@pytest.mark.parametrize(("model", "file", "section"), SERVICES)
@pytest.mark.parametrize("address", ["::", "0.0.0.0", "192.0.2.10"])
def test_credentials_do_not_pass_in_clear_unless_that_is_stated(
    model: type[BaseModel],
    file: str,
    section: str,
    address: str,
    tmp_path: Path,
    authority: Authority,
) -> None:
    keys = tmp_path / "public_keys"
    keys.write_text(public_text([Ed25519PrivateKey.generate().public_key()]))
    urls = ["http://192.0.2.10:8080"]
    api: dict[str, object] = {"signers_file": str(keys), "urls": urls}

    def load(where: str = address, **more: object) -> None:
        build({section: {"bind_address": where}, "api": {**api, **more}}, model, file)

    with pytest.raises(ConfigError) as caught:
        load()
    said = f"{file}: {section}.bind_address: found '{address}': beyond loopback it takes"
    assert str(caught.value).startswith(said)
    assert "api.allow_plain: true" in str(caught.value)
    with pytest.raises(ConfigError):
        load(allow_plain=False)
    load(allow_plain=True)
    load("127.0.0.1")
    load("::1")
    certificate, key = authority.certify("one", "192.0.2.10")
    load(certificate_file=str(certificate), key_file=str(key))
    build({section: {"bind_address": address}}, model, file)  # nobody has anything to state
