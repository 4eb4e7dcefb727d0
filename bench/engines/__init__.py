"""The tunnels that are compared, by name, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable

from bench.engines.base import Engine
from bench.engines.fastd import Fastd
from bench.engines.floor import LIBCRYPTO, Floor
from bench.engines.nrs import Nrs
from bench.engines.openvpn import OpenVpn
from bench.engines.veth import Veth
from bench.engines.wireguard_go import WireguardGo
from bench.settings import Places

ENGINES: dict[str, Callable[[Places], Engine]] = {
    "nrs-c": lambda places: Nrs(places, "c"),
    "nrs-python": lambda places: Nrs(places, "python"),
    "floor": Floor,
    "floor-libcrypto": lambda places: Floor(places, LIBCRYPTO),
    "wireguard-go": WireguardGo,
    "openvpn": OpenVpn,
    "fastd": Fastd,
    "veth": Veth,
}
