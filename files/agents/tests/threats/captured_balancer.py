"""Plays a captured load balancer: tries everything with what its host has, prints what worked.

    python -m tests.threats.captured_balancer load_balancer.yaml STATE CALLS

It serves in the load balancer's place, with its certificate, until devices and siblings have made
so many CALLS, and keeps the tokens that they state. Siblings that ask it for revocations are told
an older list than they have. Then it tries all that it holds at its siblings, and writes into the
shared store. A line is `WHERE: CREDENTIAL: WHAT`.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nrs.api import tls
from nrs.api.messages import MetricsReport
from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.decide.snapshot import KeptEndpoint
from nrs.balancer.keep.shared import SharedReport, SharedStore
from nrs.config.loader import load
from nrs.identity.claims import unverified
from tests.threats import forgery
from tests.threats.attacker import worked
from tests.threats.attempts import BALANCER, CONTROLLER, attempts, report


def main(file: Path, state: Path, calls: int) -> Iterator[str]:
    """What worked."""
    config = load(file, LoadBalancerConfig)
    old_list = (state / "revocations").read_text(encoding="ascii").strip()
    heard = _heard(config, old_list, calls)
    names = {"ENDPOINT": "endpoint_1", "ROUTER": "router_1", "ITSELF": "lb1"}
    addresses = {"ENDPOINT": "10.10.0.1"}
    api = config.api
    assert api.ca_file is not None
    assert api.certificate_file is not None
    assert api.signers_file is not None
    public = api.signers[0].public_bytes(Encoding.Raw, PublicFormat.Raw)
    secrets = {
        "the public key": public,
        "the file of public keys": api.signers_file.read_bytes(),
        "its certificate": api.certificate_file.read_bytes(),
    }
    own = api.tokens(api.peers)
    for place, (url, token) in enumerate(own.items()):
        service = (BALANCER, CONTROLLER)[place]
        credentials = {
            "its token": token,
            "its token as an operator's": forgery.changed(token, role="operator"),
            **forgery.operators(url, secrets),
            **{f"the token that {who} showed it": told for who, told in heard.items()},
        }
        for line in worked(url, api.ca_file, attempts(service, names, addresses), credentials):
            yield f"{'sibling' if service == BALANCER else service}: {line}"
        port = url.rpartition(":")[2]
        if any(_passes_for(each, config) for each in (url, f"https://localhost:{port}")):
            yield f"{service}: its certificate: pose as it"
    yield from _in_the_store(config)


def _heard(config: LoadBalancerConfig, old_list: str, calls: int) -> dict[str, str]:
    """The tokens that callers show, by role and id, once there were so many calls."""
    found: dict[str, str] = {}
    said = json.dumps({"number": 0, "revocations": old_list}).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers["Authorization"].removeprefix("Bearer ")
            claims = unverified(token)
            found[f"{claims['role']} {claims['sub']}"] = token
            body = said if self.path == "/revocations" else b"{}"
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = config.server
    with ThreadingHTTPServer((str(server.bind_address), server.bind_port), Handler) as http:
        http.socket = _shown(config).wrap_socket(
            http.socket, server_side=True, do_handshake_on_connect=False
        )
        http.timeout = 0.1
        print("serving", flush=True)
        while len(found) < calls:
            http.handle_request()
    return found


def _shown(config: LoadBalancerConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert config.api.certificate_file is not None
    context.load_cert_chain(config.api.certificate_file, config.api.key_file)
    return context


def _passes_for(url: str, config: LoadBalancerConfig) -> bool:
    """Whether a client that asks `url` would take this one's certificate.

    A service of its own host is asked by loopback's names.
    """
    trusting = ssl.create_default_context(cafile=str(config.api.ca_file))
    host, _, port = url.removeprefix("https://").rpartition(":")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(back, there, server_hostname=host)
    server = _shown(config).wrap_bio(there, back, server_side=True)
    for _ in range(3):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                return False
    return tls.is_of(client.getpeercert() or {}, host, int(port))


def _in_the_store(config: LoadBalancerConfig) -> Iterator[str]:
    assert config.state.url is not None
    store, now = SharedStore(config.state.url, config.state.password, "lb1"), time.time()
    places = [name for part in store.endpoints() for name in part]
    if places and store.reports():
        yield "shared store: its address: read where endpoints are"
    invented = MetricsReport.model_validate(report("invented", 0.0))
    moved = KeptEndpoint("invented", now, None, None, now)
    store.publish([SharedReport(invented, now)], {"endpoint_1": moved})
    if "invented" in {shared.report.server_id for shared in store.reports()}:
        yield "shared store: its address: tell of a router that is none"
    if {"endpoint_1": moved}.items() <= dict(*store.endpoints()).items():
        yield "shared store: its address: say where an endpoint is"
    store.close()


if __name__ == "__main__":
    print(*main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])), sep="\n", flush=True)
