from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from nrs.api import service, tls
from nrs.api.auth import Trust
from nrs.api.client import ApiClient, ApiUnavailable
from nrs.api.gate import Limits
from nrs.api.listener import listen
from nrs.config.service_api import ServiceApi
from nrs.identity import authority as identity
from tests.api.certified import DAY, NOW, Authority
from tests.serving import TIMEOUT_S, exchange, received, serving, serving_by

HERE = "127.0.0.1"
GET = b"GET /health HTTP/1.1\r\nHost: [::1]\r\n\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def app() -> Flask:
    app = service.create_app("example", Trust())

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"status": "ok"}

    return app


def shown(pair: tuple[Path, Path]) -> ssl.SSLContext:
    found = tls.served_by(ServiceApi(certificate_file=pair[0], key_file=pair[1]))
    assert found is not None
    return found


def trusting(authority: Authority) -> ssl.SSLContext:
    context = tls.client()
    context.load_verify_locations(authority.file)
    return context


@pytest.fixture
def port(app: Flask, authority: Authority) -> Iterator[int]:
    with serving(app, context=shown(authority.certify("one", HERE))) as port:
        yield port


def url(port: int) -> str:
    return f"https://{HERE}:{port}"


def test_an_answer_by_tls(port: int, authority: Authority) -> None:
    assert exchange(port, GET, context=trusting(authority)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert ApiClient([url(port)], {}, authority.file).get("/health") == {"status": "ok"}


def test_large_bodies_and_answers_by_tls(authority: Authority, app: Flask) -> None:
    app.add_url_rule("/large", view_func=lambda: b"a" * 3_000_000)
    with serving(app, context=shown(authority.certify("one", HERE))) as port:
        answer = exchange(port, GET.replace(b"health", b"large"), context=trusting(authority))
        assert answer.partition(b"\r\n\r\n")[2] == b"a" * 3_000_000
        raw = b"POST /health HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1_000_000
        assert exchange(port, raw, context=trusting(authority)).startswith(b"HTTP/1.1 413 ")


def test_the_end_is_said(port: int, authority: Authority) -> None:
    """Without that a client could not tell it from an answer that somebody has cut off."""
    with (
        socket.create_connection((HERE, port), TIMEOUT_S) as sock,
        trusting(authority).wrap_socket(
            sock, server_hostname=HERE, suppress_ragged_eofs=False
        ) as wrapped,
    ):
        wrapped.sendall(GET.replace(b"Host: [::1]", b"Connection: close"))
        assert received(wrapped).startswith(b"HTTP/1.1 200 ")
        assert wrapped.recv(1) == b""


def test_older_versions_are_refused(port: int, authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="version"):
        exchange(port, GET, context=context)


def test_plain_http_is_told_to_speak_tls(port: int) -> None:
    answer = exchange(port, GET)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b'{"error": "this port speaks TLS: use https://", "field": null}\n')


def test_both_are_served_where_plain_http_is_allowed_until_it_is_not(
    app: Flask, authority: Authority
) -> None:
    context = shown(authority.certify("one", HERE))
    with serving_by(app, listen(HERE, 0), context=context, plain=True) as (http, port):
        for by in (None, trusting(authority)):
            assert exchange(port, GET, context=by).startswith(b"HTTP/1.1 200 OK\r\n")
        http.renew(context)
        assert exchange(port, GET).startswith(b"HTTP/1.1 400 ")
        assert exchange(port, GET, context=trusting(authority)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("begin", [b"", b"\x16\x03\x01", b"\x16" * 600])
def test_a_handshake_has_no_longer_than_a_request(
    app: Flask, authority: Authority, begin: bytes
) -> None:
    context = shown(authority.certify("one", HERE))
    with serving(app, context=context, limits=Limits(request_s=0.4)) as port:
        try:
            # An alert, if anything.
            assert not exchange(port, begin).startswith(b"HTTP")
        except ConnectionResetError:
            assert begin


def test_a_new_certificate_is_shown_and_what_runs_goes_on(app: Flask, authority: Authority) -> None:
    first, second = (shown(authority.certify(name, HERE)) for name in ("one", "two"))
    with (
        serving_by(app, listen(HERE, 0), context=first) as (http, port),
        socket.create_connection((HERE, port), TIMEOUT_S) as sock,
        trusting(authority).wrap_socket(sock, server_hostname=HERE) as kept,
    ):
        for context, name in ((first, "one"), (second, "two")):
            http.renew(context)
            with (
                socket.create_connection((HERE, port), TIMEOUT_S) as raw,
                trusting(authority).wrap_socket(raw, server_hostname=HERE) as later,
            ):
                certificate = later.getpeercert()
                assert certificate is not None
                assert certificate["subject"] == ((("commonName", name),),)
            kept.sendall(GET)
            assert received(kept).startswith(b"HTTP/1.1 200 ")


def test_several_authorities_are_trusted_in_one_file(port: int, authority: Authority) -> None:
    other = Authority(authority.file.parent, "next CA")
    both = authority.file.with_name("both.pem")
    both.write_bytes(other.file.read_bytes() + authority.file.read_bytes())
    assert ApiClient([url(port)], {}, both).get("/health") == {"status": "ok"}


def test_an_authority_that_is_added_to_the_file_is_trusted_without_a_reload(
    port: int, authority: Authority
) -> None:
    other = Authority(authority.file.parent, "next CA")
    client = ApiClient([url(port)], {}, other.file)
    with pytest.raises(ApiUnavailable, match="which is no CA in"):
        client.get("/health")
    with other.file.open("ab") as file:
        file.write(authority.file.read_bytes())
    assert client.get("/health") == {"status": "ok"}


def refused(port: int, ca_file: Path | None) -> str:
    with pytest.raises(ApiUnavailable) as caught:
        ApiClient([url(port)], {}, ca_file).get("/health")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_foreign_certificate_is_named_with_file_and_dates(
    port: int, authority: Authority
) -> None:
    other = Authority(authority.file.parent, "next CA")
    said = refused(port, other.file)
    assert f"not trusted by {other.file}: the certificate (until {(NOW + 9 * DAY).date()}" in said
    assert f"signed by example CA, which is no CA in {other.file}" in said


def test_without_a_file_only_public_authorities_are_trusted(port: int) -> None:
    said = refused(port, None)
    assert f"its certificate (until {(NOW + 9 * DAY).date()} " in said
    assert "api.ca_file names no CA" in said


@pytest.mark.parametrize("host", [HERE, "localhost"])
def test_another_service_of_the_host_is_not_taken_for_the_one_that_is_called(
    app: Flask, tmp_path: Path, host: str
) -> None:
    """It has a certificate of the same CA, for the same host and loopback."""
    ca, key = identity.new_authority(NOW.timestamp()), identity.new_key()
    file = tmp_path / "ca.pem"
    file.write_text(identity.text([ca.certificate]))
    listener = listen(HERE, 0)
    port = listener.getsockname()[1]

    def context(served: int) -> ssl.SSLContext:
        called = [f"https://192.0.2.10:{served}"]
        made = identity.server_certificate(ca, key.public_key(), called, NOW.timestamp())
        (tmp_path / "one.pem").write_text(identity.text([made]))
        (tmp_path / "one.key").write_text(identity.key_text(key))
        return shown((tmp_path / "one.pem", tmp_path / "one.key"))

    there = f"https://{host}:{port}"
    asked: list[str] = []
    app.before_request(lambda: asked.append(request.headers.get("Authorization", "")))
    with serving_by(app, listener, context=context(port + 1)) as (http, _):
        with pytest.raises(ApiUnavailable, match=rf"is for .*:{port + 1}, not for {there}$"):
            ApiClient([there], {there: "t" * 40}, file).get("/health")
        assert asked == []
        http.renew(context(port))
        assert ApiClient([there], {}, file).get("/health") == {"status": "ok"}


@pytest.mark.parametrize(
    ("addresses", "begin", "end", "why"),
    [
        (["192.0.2.1"], NOW - DAY, NOW + DAY, f"is for 192.0.2.1, not for {HERE}"),
        ([HERE], NOW - 9 * DAY, NOW - DAY, f"expired on {(NOW - DAY).date()}"),
        ([HERE], NOW + DAY, NOW + 9 * DAY, f"is not valid before {(NOW + DAY).date()}"),
    ],
)
def test_a_wrong_certificate_is_named_with_its_date(
    app: Flask, authority: Authority, addresses: list[str], begin: Any, end: Any, why: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certify("one", *addresses, begin=begin, end=end))
    with serving(app, context=context) as port:
        said = refused(port, authority.file)
    assert why in said
    assert f"https://{HERE}:{port}: not trusted by {authority.file}: the certificate" in said


def test_a_client_takes_no_older_version(app: Flask, authority: Authority) -> None:
    context = shown(authority.certify("one", HERE))
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(app, context=context) as port:
        assert "no TLS 1.3 there" in refused(port, authority.file)
