"""wireguard-go, as the distribution packages it."""

from __future__ import annotations

import os

from bench.engines.base import INNER, MTU, Tunnel, need, set_up_device, wait_for_device
from bench.packages import version_of
from bench.pair import UNDERLAY, Pair
from bench.settings import Places
from testbed.command import run

_PORT = 51820


class WireguardGo:
    """See `base.Engine`."""

    name = "wireguard-go"

    def __init__(self, places: Places) -> None:
        pass

    @property
    def version(self) -> str:
        return f"{version_of('wireguard-go')}, ChaCha20-Poly1305, MTU {MTU}"

    def prepare(self) -> None:
        need("wireguard-go", "wireguard-go")
        need("wg", "wireguard-tools")

    def start(self, pair: Pair) -> Tunnel:
        private = {host: run(["wg", "genkey"]) for host in UNDERLAY}
        public = {host: run(["wg", "pubkey"], stdin=key).strip() for host, key in private.items()}
        children = []
        for host, peer in (("a", "b"), ("b", "a")):
            # wg finds a device by a socket in a directory that namespaces share.
            device = pair.unique(host)
            env = {**os.environ, "LOG_LEVEL": "error"}
            command = ["wireguard-go", "--foreground", device]
            children.append(pair.start(host, self.name, command, env=env))
            wait_for_device(pair, host, device)
            config = pair.directory / f"{host}.conf"
            config.touch(mode=0o600)
            config.write_text(
                f"[Interface]\nPrivateKey = {private[host]}ListenPort = {_PORT}\n"
                f"[Peer]\nPublicKey = {public[peer]}\nAllowedIPs = 0.0.0.0/0\n"
                f"Endpoint = {UNDERLAY[peer]}:{_PORT}\n",
                encoding="ascii",
            )
            run(pair.host(host).enter("wg", "setconf", device, config))
            set_up_device(pair, host, device)
        return Tunnel(INNER["b"], children)
