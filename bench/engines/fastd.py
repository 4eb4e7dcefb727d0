"""fastd with the null cipher and UMAC."""

from __future__ import annotations

from bench.engines.base import INNER, MTU, Tunnel, need, set_up_device, wait_for_device
from bench.packages import version_of
from bench.pair import UNDERLAY, Pair
from bench.settings import Places
from testbed.command import run

DEVICE = "fastd0"
METHOD = "null+salsa2012+umac"
_PORT = 10000


class Fastd:
    """See `base.Engine`."""

    name = "fastd"

    def __init__(self, places: Places) -> None:
        pass

    @property
    def version(self) -> str:
        return f"{version_of('fastd')}, {METHOD}, MTU {MTU}"

    def prepare(self) -> None:
        need("fastd", "fastd")

    def start(self, pair: Pair) -> Tunnel:
        secret, public = {}, {}
        for host in UNDERLAY:
            secret[host] = run(["fastd", "--generate-key", "--machine-readable"]).strip()
            public[host] = run(
                ["fastd", "--config", "-", "--show-key", "--machine-readable"],
                stdin=f'secret "{secret[host]}";\n',
            ).strip()
        children = []
        for host, peer in (("a", "b"), ("b", "a")):
            config = pair.directory / f"{host}.conf"
            config.touch(mode=0o600)
            config.write_text(
                f'log level warn;\nmode tun;\ninterface "{DEVICE}";\nmtu {MTU};\n'
                f'method "{METHOD}";\nbind {UNDERLAY[host]}:{_PORT};\nsecret "{secret[host]}";\n'
                f'peer "{peer}" {{ key "{public[peer]}";'
                f" remote {UNDERLAY[peer]} port {_PORT}; }}\n",
                encoding="ascii",
            )
            children.append(pair.start(host, self.name, ["fastd", "--config", config]))
            wait_for_device(pair, host, DEVICE)
            set_up_device(pair, host, DEVICE)
        return Tunnel(INNER["b"], children)
