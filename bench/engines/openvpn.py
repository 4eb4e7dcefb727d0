"""OpenVPN over UDP with HMAC-SHA256 and no cipher: the same protection as ours."""

from __future__ import annotations

from bench.engines.base import INNER, MTU, Tunnel, need, set_up_device, wait_for_device
from bench.packages import version_of
from bench.pair import UNDERLAY, Pair
from bench.settings import Places
from testbed.command import run

DEVICE = "ovpn0"


class OpenVpn:
    """See `base.Engine`. A static key on both ends: no TLS, whose cost is not of interest."""

    name = "openvpn"

    def __init__(self, places: Places) -> None:
        pass

    @property
    def version(self) -> str:
        return f"{version_of('openvpn')}, HMAC-SHA256, no cipher, MTU {MTU}"

    def prepare(self) -> None:
        need("openvpn", "openvpn")

    def start(self, pair: Pair) -> Tunnel:
        key = pair.directory / "static.key"
        run(["openvpn", "--genkey", "secret", key])
        children = []
        for host, peer in (("a", "b"), ("b", "a")):
            command = [
                *("openvpn", "--dev", DEVICE, "--dev-type", "tun", "--proto", "udp"),
                *("--local", UNDERLAY[host], "--remote", UNDERLAY[peer]),
                *("--secret", key, "--auth", "SHA256", "--cipher", "none"),
                *("--tun-mtu", str(MTU), "--mssfix", "0", "--verb", "1"),
                *("--sndbuf", "4194304", "--rcvbuf", "4194304", "--txqueuelen", "1000"),
            ]
            children.append(pair.start(host, self.name, command))
            wait_for_device(pair, host, DEVICE)
            set_up_device(pair, host, DEVICE)
        return Tunnel(INNER["b"], children)
