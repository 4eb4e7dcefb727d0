# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client against a server on loopback: what it sends, retries and says."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.module_utils._client import (
    ApiError,
    Client,
    Connection,
)
from ansible_collections.nrs.network_routing.tests.unit.plugins.api_server import Answer, ApiServer
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

Days = tuple[int, int]


def _client(
    *urls: str, token: str | None = None, timeout: float = 5.0
) -> tuple[Client, list[float]]:
    pauses: list[float] = []
    return Client(Connection(urls, token=token, timeout=timeout), sleep=pauses.append), pauses


def test_sends_the_token_and_the_query(api: ApiServer) -> None:
    api.on("GET", "/status", Answer(body={"ok": 1}))
    client, _pauses = _client(api.url + "/", token="t" * 32)
    assert client.get("/status", {"candidates": "a,b&c"}) == {"ok": 1}
    assert api.asked[0].headers["Authorization"] == "Bearer " + "t" * 32
    assert api.asked[0].query == {"candidates": "a,b&c"}


def test_without_a_token_there_is_no_authorization(api: ApiServer) -> None:
    api.on("GET", "/status", Answer(body={}))
    _client(api.url)[0].get("/status")
    assert "Authorization" not in api.asked[0].headers


def _certificate(path: Path, *urls: str, address: str = "127.0.0.1", days: Days = (-1, 9)) -> Path:
    """A file with a certificate and its key; days from now that it is good."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    begin, end = (datetime.now(timezone.utc) + timedelta(each) for each in days)
    stated: list[x509.GeneralName] = [x509.IPAddress(ip_address(address))]
    stated += map(x509.UniformResourceIdentifier, urls)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(stated), critical=True)
        .sign(key, SHA256())
    )
    pem, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    own = key.private_bytes(pem, kind, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + own)
    return path


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Callable[[Path], ApiServer]]:
    """Starts APIs with the certificate and the key in a file."""
    started: list[ApiServer] = []

    def _start(pem: Path) -> ApiServer:
        started.append(ApiServer(pem))
        started[-1].start()
        started[-1].on("GET", "/status", Answer(body={"ok": 1}))
        return started[-1]

    yield _start
    for api in started:
        api.stop()


def _distrust(api: ApiServer, ca_path: Path | None) -> str:
    connection = Connection(
        [api.url], token="t" * 32, ca_path=None if ca_path is None else str(ca_path)
    )
    with pytest.raises(ApiError) as caught:
        Client(connection, sleep=lambda _seconds: None).get("/status")
    assert "\n" not in str(caught.value)
    assert api.asked == []
    return str(caught.value)


def test_who_is_named_is_trusted_and_nobody_else(
    tls: Callable[[Path], ApiServer], tmp_path: Path
) -> None:
    pem, other = (_certificate(tmp_path / name) for name in ("one.pem", "other.pem"))
    api = tls(pem)
    assert Client(Connection([api.url], ca_path=str(pem))).get("/status") == {"ok": 1}
    api.asked.clear()
    assert " is not trusted by %s: " % other in _distrust(api, other)
    assert " is not trusted by the public CAs, as ca_path is not set: " in _distrust(api, None)
    anybody = Client(Connection([api.url], ca_path=str(other), validate_certs=False))
    assert anybody.get("/status") == {"ok": 1}


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"days": (-400, -2)}, "certificate has expired"),
        ({"days": (2, 400)}, "certificate is not yet valid"),
        ({"days": (9000, 20000)}, "certificate is not yet valid"),
        ({"address": "192.0.2.1"}, "IP address mismatch"),
        ({"urls": ["https://127.0.0.1:1", "https://[::1]:1"]}, "it is not for port"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_named_with_file_and_dates(
    tls: Callable[[Path], ApiServer],
    tmp_path: Path,
    stated: dict[str, Any],
    says: str,
) -> None:
    urls, days = stated.pop("urls", ()), stated.setdefault("days", (-1, 400))
    now = datetime.now(timezone.utc)
    pem = _certificate(tmp_path / "one.pem", *urls, **stated)
    said = _distrust(tls(pem), pem)
    begin, end = ((now + timedelta(each)).strftime("%Y-%m-%d") for each in days)
    assert re.search(r"\(good from %s ..:.. until %s ..:.. UTC\)" % (begin, end), said)
    assert "is not trusted by %s: %s" % (pem, says) in said


def test_one_for_urls_is_taken_at_its_own_port(
    tls: Callable[[Path], ApiServer], tmp_path: Path
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    pem = _certificate(tmp_path / "one.pem", "https://127.0.0.1:%d" % port)
    api = ApiServer(pem, port)
    api.start()
    api.on("GET", "/status", Answer(body={"ok": 1}))
    try:
        assert Client(Connection([api.url], ca_path=str(pem))).get("/status") == {"ok": 1}
    finally:
        api.stop()


def test_a_proxy_of_the_environment_is_not_asked(
    api: ApiServer, second_api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", second_api.url)
    api.on("GET", "/status", Answer(body={"ok": 1}))
    assert _client(api.url)[0].get("/status") == {"ok": 1}
    assert second_api.asked == []


def test_posts_json(api: ApiServer) -> None:
    api.on("POST", "/config", Answer(body={"version": 1}))
    assert _client(api.url)[0].post("/config", {"device_id": "d"}) == {"version": 1}
    assert api.asked[0].body == {"device_id": "d"}
    assert api.asked[0].headers["Content-Type"] == "application/json"


def test_a_server_that_does_not_answer_is_passed_over(api: ApiServer, closed_url: str) -> None:
    api.on("GET", "/status", Answer(body={"from": "second"}))
    client, pauses = _client(closed_url, api.url)
    assert client.get("/status") == {"from": "second"}
    assert pauses == []


def test_every_server_is_named_when_none_answers(closed_url: str) -> None:
    client, pauses = _client(closed_url, closed_url + "/2")
    with pytest.raises(ApiError) as error:
        client.get("/status")
    text = str(error.value)
    assert closed_url + "/status" in text and closed_url + "/2/status" in text
    assert text.count("refused") == 2
    assert error.value.status is None
    assert pauses == [0.3, 0.6]


def test_a_passing_failure_is_tried_again(api: ApiServer) -> None:
    api.on("GET", "/status", Answer(503, {"error": "starting"}), Answer(body={"ok": 1}))
    client, pauses = _client(api.url)
    assert client.get("/status") == {"ok": 1}
    assert pauses == [0.3]


def test_a_lasting_503_ends_with_its_reason(api: ApiServer) -> None:
    api.on("GET", "/decision/e", Answer(503, {"error": "no usable router", "field": None}))
    with pytest.raises(ApiError) as error:
        _client(api.url)[0].get("/decision/e")
    assert str(error.value) == api.url + "/decision/e answered 503: no usable router"
    assert error.value.status == 503
    assert len(api.asked) == 3


@pytest.mark.parametrize("answer", [Answer(503, {"error": "busy"}), Answer(hang_up=True)])
def test_a_change_that_may_have_been_seen_is_not_sent_again(
    api: ApiServer, second_api: ApiServer, answer: Answer
) -> None:
    api.on("POST", "/push_config/d", answer)
    second_api.on("POST", "/push_config/d", Answer(body={}))
    with pytest.raises(ApiError):
        _client(api.url, second_api.url)[0].post("/push_config/d", {})
    assert (len(api.asked), len(second_api.asked)) == (1, 0)


def test_a_change_goes_on_where_nobody_can_have_seen_it(api: ApiServer, closed_url: str) -> None:
    api.on("POST", "/push_config/d", Answer(body={"version": 2}))
    assert _client(closed_url, api.url)[0].post("/push_config/d", {}) == {"version": 2}


def test_a_refusal_is_final_and_names_the_field(api: ApiServer, second_api: ApiServer) -> None:
    api.on("POST", "/config", Answer(400, {"error": "must be text", "field": "device_id"}))
    with pytest.raises(ApiError) as error:
        _client(api.url, second_api.url)[0].post("/config", {}, repeatable=True)
    assert str(error.value).endswith("answered 400: must be text (field device_id)")
    assert (error.value.status, error.value.field) == (400, "device_id")
    assert (len(api.asked), len(second_api.asked)) == (1, 0)


@pytest.mark.parametrize("raw", [b"<html>", b'{"a": ', b"\xff\xfe", b""])
def test_an_answer_that_is_not_json(api: ApiServer, raw: bytes) -> None:
    api.on("GET", "/status", Answer(raw=raw))
    with pytest.raises(ApiError, match="is not JSON"):
        _client(api.url)[0].get("/status")


@pytest.mark.parametrize("body", [[], None, 3, "text"])
def test_an_answer_that_is_not_an_object(api: ApiServer, body: object) -> None:
    api.on("GET", "/status", Answer(body=body))
    with pytest.raises(ApiError, match="not an object"):
        _client(api.url)[0].get("/status")


def test_an_error_without_json_still_says_its_status(api: ApiServer) -> None:
    api.on("GET", "/status", Answer(500, raw=b"oops"))
    with pytest.raises(ApiError, match="answered 500: Internal Server Error"):
        _client(api.url)[0].get("/status")


def test_the_token_does_not_follow_a_redirect(api: ApiServer, second_api: ApiServer) -> None:
    api.on("GET", "/status", Answer(302, {}, headers={"Location": second_api.url + "/status"}))
    with pytest.raises(ApiError, match="answered 302"):
        _client(api.url, token="t" * 32)[0].get("/status")
    assert second_api.asked == []


def test_an_answer_that_does_not_come(api: ApiServer) -> None:
    never = threading.Event()
    api.handle("GET", "/status", lambda asked: (never.wait(5), Answer(hang_up=True))[1])
    with pytest.raises(ApiError, match="no answer in time"):
        _client(api.url, timeout=0.05)[0].get("/status")
    never.set()


@pytest.mark.parametrize("token", ["two\nlines", "two\n", "tw\u2014o", "two\x7f"])
def test_a_token_that_no_header_can_carry_is_not_shown(api: ApiServer, token: str) -> None:
    with pytest.raises(ApiError, match="the token is none that a header can carry") as error:
        _client(api.url, token=token)[0].get("/status")
    assert "tw" not in str(error.value)
    assert api.asked == []
