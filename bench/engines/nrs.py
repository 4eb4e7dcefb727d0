"""The agents as they are deployed: a routing server and an access endpoint."""

from __future__ import annotations

from harness.report import Unusable

from bench import agents
from bench.engines.base import INNER, MTU, Missing, Tunnel
from bench.pair import UNDERLAY, Pair
from bench.settings import Places
from bench.traffic import IPERF3_PORT
from testbed import link
from testbed.failed import Failed

CIPHERS = ("aes-256-gcm", "chacha20-poly1305")
_CLEAR = "none"
_WIDE_UNDERLAY = 9000
_SEARCH_S = 2.0
"""Within a second an endpoint knows what its path carries."""


class Nrs:
    """See `base.Engine`. The endpoint is on host a, the routing server on host b."""

    def __init__(
        self,
        places: Places,
        codec: str,
        mtu: int = MTU,
        through: str | None = None,
        cipher: str = _CLEAR,
    ) -> None:
        """`mtu`: of the TUN devices; `through`: host a's address of a relay to the router."""
        more = [*([str(mtu)] if mtu != MTU else []), *([cipher] if cipher != _CLEAR else [])]
        self.name = " ".join([f"nrs-{codec}", *more])
        self.version = f"the checkout's agents, codec {codec}, MTU {mtu}, cipher {cipher}"
        self._cipher = cipher
        self._mtu = mtu
        self._through = through
        self._codec = codec
        self._places = places

    def prepare(self) -> None:
        try:
            self._python = agents.python(self._places)
        except (Failed, Unusable) as error:
            raise Missing(str(error)) from None

    def start(self, pair: Pair) -> Tunnel:
        if self._mtu > MTU:
            pair.widen(_WIDE_UNDERLAY)
        psk = agents.new_psk()
        pair.host("b").batch([link.bridge("egress0"), *link.up("egress0")])
        tunnel = {
            "psk": psk,
            "mtu": self._mtu,
            "ciphers": [self._cipher],
            "tun_ipv4": f"{INNER['b']}/16",
            "tun_ipv6": "fd00:10:1::1/32",
            "allow_input": [{"proto": proto, "port": IPERF3_PORT} for proto in ("tcp", "udp")],
        }
        router = agents.start_router(pair, self._python, self._codec, tunnel)
        endpoint = agents.start(
            pair,
            "a",
            self._python,
            "network-access-endpoint",
            {
                "endpoint": {"endpoint_id": "endpoint_a", "name": "endpoint a"},
                "tunnel": {
                    "psk": psk,
                    "mtu": self._mtu,
                    "cipher": self._cipher,
                    "tun_ipv4": INNER["a"],
                    "tun_ipv6": "fd00:10:100::1",
                    "routes": ["10.10.0.0/16", "fd00:10::/32"],
                },
                "routers": [
                    {
                        "router_id": "router_b",
                        "external_ip": self._through or UNDERLAY["b"],
                        **({} if self._through else {"bind_address": UNDERLAY["a"]}),
                    }
                ],
                "load_balancer": {"url": agents.NOBODY},
            },
            self._codec,
        )
        settle = _SEARCH_S if self._mtu > MTU else 0.0
        return Tunnel(INNER["b"], [router, endpoint], settle)
