"""`nrs token revoke` on real files, and to services on loopback that speak TLS 1.3."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nrs.api import revoked
from nrs.api.auth import Trust
from nrs.api.listener import listen
from nrs.api.service import create_app
from nrs.cli import revoking
from nrs.cli.deployment import Deployment
from nrs.identity import keys, revocations
from nrs.identity.credential import Credential, CredentialRefused
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import Revocations, RevocationsRefused, read
from nrs.identity.verifier import Verifier
from tests.serving import serving_by

from .conftest import Nrs

URL = "https://192.0.2.10:8080"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


@pytest.fixture
def token(inline: Nrs, secrets: Path) -> Nrs:
    assert inline("token", "keys", "--directory", secrets).returncode == 0
    return lambda command, *rest: inline("token", command, "--directory", secrets, *rest)


def serials(token: Nrs, id_: str = "endpoint_1") -> list[str]:
    """Of the good tokens of an id."""
    rows = json.loads(token("list", "--json", "--id", id_).stdout)
    return [row["serial"] for row in rows]


def make(token: Nrs, id_: str = "endpoint_1") -> None:
    done = token("create", "--role", "endpoint", "--id", id_, "--service", URL)
    assert done.returncode == 0


def listed(secrets: Path) -> Revocations:
    text = (secrets / "revocations").read_text().strip()
    return read(text, keys.read_public(secrets / "public_keys"))


def test_by_serial(token: Nrs, secrets: Path) -> None:
    make(token)
    make(token)
    first, second = serials(token)
    done = token("revoke", first)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"revoked {first} of endpoint endpoint_1 for {URL}\n"
        f"{secrets}/revocations is list number 1\n"
    )
    assert listed(secrets) == Revocations(1, frozenset([first]))
    assert serials(token) == [second]
    assert "revoked 20" in token("list", "--all").stdout


def test_everything_of_an_id_and_a_new_token_after_it(token: Nrs, secrets: Path) -> None:
    make(token)
    make(token)
    make(token, "endpoint_2")
    done = token("revoke", "--id", "endpoint_1", "--issued-before", "now")
    assert (done.returncode, done.stdout.count("revoked ")) == (0, 2)
    assert listed(secrets).number == 1
    make(token)
    assert (len(serials(token)), len(serials(token, "endpoint_2"))) == (1, 1)


def test_the_number_rises_with_each_change_and_not_without(token: Nrs, secrets: Path) -> None:
    make(token)
    make(token)
    first, second = serials(token)
    for serial, number in ((first, 1), (first, 1), (second, 2), (first, 2)):
        assert f"list number {number}\n" in token("revoke", serial).stdout
    assert listed(secrets).serials == {first, second}


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ((), "what is to be revoked?"),
        (("0123456789abcdef",), "no token with the serial 0123456789abcdef was made here"),
        (("--id", "endpoint_1"), "--id and --issued-before belong together"),
        (("--issued-before", "now"), "--id and --issued-before belong together"),
        (("00", "--id", "x", "--issued-before", "now"), "serials or --id, not both"),
        (("--id", "x", "--issued-before", "soon"), "'--issued-before': 'soon' is no time"),
        (("--id", "x", "--issued-before", "9000-01-01"), "is in the future"),
        (("--id", "x", "--issued-before", "now", "--service", "x"), "--service: 'x' is no URL"),
    ],
)
def test_what_is_wrong_is_named(
    token: Nrs, secrets: Path, stated: tuple[str, ...], problem: str
) -> None:
    make(token)
    done = token("revoke", *stated)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert not (secrets / "revocations").exists()


def test_an_id_that_the_ledger_does_not_know_is_revoked_with_a_note(
    token: Nrs, secrets: Path
) -> None:
    done = token("revoke", "--id", "endpoint_9", "--issued-before", "2026-01-31")
    assert done.returncode == 0
    assert done.stderr == "note: no token of endpoint_9 was made here\n"
    assert listed(secrets).issued_before == {"endpoint_9": 1769817600.0}


class Service:
    """What a service does with `PUT /revocations`: it checks the token and takes the list."""

    def __init__(self, directory: Path, public_keys: Path) -> None:
        self.keys = keys.read_public(public_keys)
        self.file = RevocationFile(directory / "revocations", self.keys)
        self.url = ""
        self.callers: list[Credential] = []

    def put(self, path: str, authorization: str, body: bytes) -> tuple[int, str]:
        token = authorization.removeprefix("Bearer ")
        try:
            verifier = Verifier(self.keys, [self.url])
            self.callers.append(verifier.check(token, self.file.in_force, time.time()))
            self.file.take(json.loads(body)["revocations"])
        except CredentialRefused as error:
            return 401, str(error)
        except RevocationsRefused as error:
            return 409, str(error)
        return (200, "") if path == "/revocations" else (404, path)


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that leaves during the handshake is what a test is about."""


Start = Callable[[str], Service]


@pytest.fixture
def start(inline: Nrs, token: Nrs, secrets: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts services on 127.0.0.1, each with a certificate for the host that is named."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []
    assert inline("ca", "init", "--directory", secrets).returncode == 0

    def started(host: str) -> Service:
        directory = tmp_path / f"service_{len(servers)}"
        directory.mkdir()
        service = Service(directory, secrets / "public_keys")

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                json_only = self.headers["Content-Type"] == "application/json"
                status, error = service.put(self.path, self.headers["Authorization"], body)
                answer = json.dumps({"error": error} if error else {}).encode()
                self.send_response(status if json_only else 415)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        assert inline("ca", "issue", host, "--directory", secrets).returncode == 0
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(
            secrets / "certificates" / f"{host}.pem", secrets / "certificates" / f"{host}.key"
        )
        server = Server(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        service.url = f"https://127.0.0.1:{server.server_address[1]}"
        servers.append((server, threading.Thread(target=server.serve_forever, args=(0.05,))))
        servers[-1][1].start()
        return service

    yield started
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_every_service_takes_it_under_a_token_of_its_own(token: Nrs, start: Start) -> None:
    make(token)
    services = [start("192.0.2.10"), start("192.0.2.11")]
    urls = [word for service in services for word in ("--service", service.url)]
    done = token("revoke", *serials(token), *urls)
    assert (done.returncode, done.stderr) == (0, "")
    for service in services:
        assert f"{service.url} took it\n" in done.stdout
        assert service.file.in_force.number == 1
        (caller,) = service.callers
        assert (caller.role.value, caller.audience) == ("operator", service.url)
        assert caller.expires == pytest.approx(caller.issued + 300)
    assert len(serials(token, "nrs-token-revoke")) == 2


def test_one_that_did_not_take_it_is_named_and_gets_it_later(
    token: Nrs, secrets: Path, start: Start
) -> None:
    make(token)
    ahead, good = start("192.0.2.10"), start("192.0.2.11")
    ahead.file._in_force = Revocations(5)
    closed = "https://127.0.0.1:1"
    urls = ("--service", ahead.url, "--service", closed, "--service", good.url)
    done = token("revoke", *serials(token), *urls)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{ahead.url} did not take it: answered 409: list number 1 is older than number 5,"
        " which is in force",
        f"{closed} did not take it: connection failed",
    ]
    assert f"{good.url} took it\n" in done.stdout
    ahead.file._in_force = Revocations()
    again = token("revoke", "--service", ahead.url)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == f"{secrets}/revocations is list number 1\n{ahead.url} took it\n"


def test_nothing_to_send(token: Nrs, secrets: Path) -> None:
    done = token("revoke", "--service", "https://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{secrets}/revocations: no such file; nothing was revoked yet\n"


def test_a_foreign_certificate_gets_no_token_and_one_line(
    inline: Nrs, token: Nrs, tmp_path: Path, start: Start
) -> None:
    make(token)
    service = start("192.0.2.10")
    inline("ca", "init", "--directory", tmp_path / "other")
    other = tmp_path / "other" / "ca.pem"
    send = ("--service", service.url, "--ca-file")
    done = token("revoke", *serials(token), *send, other)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"{service.url} did not take it: not trusted by {other}: the certificate (until 20"
    )
    assert done.stderr.endswith(f"which is no CA in {other}\n")
    assert service.callers == []
    missing = token("revoke", *send, tmp_path / "none.pem")
    assert missing.returncode == 1
    assert missing.stderr.startswith(f"{tmp_path}/none.pem: No such file")


def test_a_serial_leaves_the_list_a_day_after_its_end(
    token: Nrs, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = ("create", "--service", URL, "--expires", "5m", "--role", "operator", "--name")
    for name in ("ann", "bob", "cid"):
        assert token(*create, name).returncode == 0
    ann, bob, cid = (serials(token, name)[0] for name in ("ann", "bob", "cid"))
    token("revoke", ann)
    token("revoke", bob)
    assert listed(secrets).serials == {ann, bob}
    later = time.time() + 86400 + 301
    monkeypatch.setattr(revoking.time, "time", lambda: later)
    assert token("revoke", cid).returncode == 0
    assert listed(secrets) == Revocations(3, frozenset([cid]))


def many(secrets: Path, ids: int) -> None:
    """A list of so many ids."""
    before = {f"endpoint_{number}": 1_800_000_000.123 for number in range(ids)}
    Deployment(secrets).keep(Revocations(1, issued_before=before))


def test_a_list_of_most_of_a_megabyte_is_sent_to_a_service(
    token: Nrs, secrets: Path, tmp_path: Path
) -> None:
    many(secrets, 20_000)
    assert 700_000 < (secrets / "revocations").stat().st_size < revocations.LARGEST
    trusted = keys.read_public(secrets / "public_keys")
    kept = RevocationFile(tmp_path / "kept", trusted)
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_app("example", Trust(Verifier(trusted, [url]), kept))
    revoked.add_routes(app)
    with serving_by(app, listener):
        done = token("revoke", "--id", "x", "--issued-before", "now", "--service", url)
    assert (done.returncode, done.stderr) == (0, "note: no token of x was made here\n")
    assert kept.in_force == listed(secrets)
    assert len(kept.in_force.issued_before) == 20_001


def test_a_list_that_no_service_takes_is_not_made(token: Nrs, secrets: Path) -> None:
    ids = 20_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(revocations, "LARGEST", 10_000_000)
        many(secrets, ids := 2 * ids)
    done = token("revoke", "--id", "x", "--issued-before", "now")
    assert done.returncode == 1
    size = int(done.stderr.partition("would have ")[2].partition(" ")[0])
    assert size > revocations.LARGEST
    assert f"services take {revocations.LARGEST}; nothing was revoked. --id and" in done.stderr
    assert len(listed(secrets).issued_before) == ids


def test_a_service_without_tls_is_told_of_in_one_line(
    inline: Nrs, token: Nrs, secrets: Path
) -> None:
    make(token)
    assert inline("ca", "init", "--directory", secrets).returncode == 0
    listener = listen("127.0.0.1", 0)
    app = create_app("example", Trust())
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    with serving_by(app, listener):
        done = token("revoke", *serials(token), "--service", url)
    assert done.returncode == 1
    assert done.stderr == f"{url} did not take it: no TLS 1.3 there\n"
