"""The faults: what each does to the router in use, and how it is mended.

Each is prepared first, so that the injection itself is a system call or two.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bench.failover.rig import BUSINESS, ENDPOINT, ROUTER_UNIT, Rig
from lab import faults as drops
from lab.faults import Pair
from lab.topology import EGRESS, INTERNET, Host, Segment, Topology

_BOOT_S = 60.0


class Ready(NamedTuple):
    """A fault that is prepared."""

    inject: Callable[[], None]
    heal: Callable[[], None]
    """Does no harm where nothing was injected."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    prepare: Callable[[Rig, str], Ready]
    """For a router, by name."""
    lasts_s: float
    """How long it stays; 0 where the system has to mend it by itself."""
    target_ms: tuple[float, float] = (50.0, 100.0)
    """What p50 and p99 of the gap are promised to stay under."""
    back_s: float | None = None
    """Within what both tunnels are promised to be healthy again."""


def _kill(rig: Rig, router: str) -> Ready:
    process = rig.process(router, ROUTER_UNIT)
    return Ready(lambda: process.send(signal.SIGKILL), lambda: None)


def _stop(rig: Rig, router: str) -> Ready:
    process = rig.process(router, ROUTER_UNIT)
    return Ready(lambda: process.send(signal.SIGSTOP), lambda: process.send(signal.SIGCONT))


def _dropping(rig: Rig, what: Iterable[tuple[Segment, list[Pair]]]) -> Ready:
    """Silent loss of what goes between pairs of addresses."""
    scripts = [
        (
            rig.netlink(segment.namespace),
            drops.script(segment, pairs, drop=True),
            drops.script(segment, pairs, drop=False),
        )
        for segment, pairs in what
    ]
    for namespace, _, mend in scripts:
        namespace.nft(mend)  # makes the table, which takes longer than filling it

    def inject() -> None:
        for namespace, script, _ in scripts:
            namespace.nft(script)

    def heal() -> None:
        for namespace, _, script in scripts:
            namespace.nft(script)

    return Ready(inject, heal)


def _blackhole(rig: Rig, router: str) -> Ready:
    internet = rig.topology.segment(INTERNET)
    between = drops.pairs(internet, rig.host(ENDPOINT), rig.host(router))
    return _dropping(rig, [(internet, between)])


def _blackhole_up(rig: Rig, router: str) -> Ready:
    internet = rig.topology.segment(INTERNET)
    return _dropping(
        rig, [(internet, drops.one_way(internet, rig.host(ENDPOINT), rig.host(router)))]
    )


def _blackhole_down(rig: Rig, router: str) -> Ready:
    internet = rig.topology.segment(INTERNET)
    return _dropping(
        rig, [(internet, drops.one_way(internet, rig.host(router), rig.host(ENDPOINT)))]
    )


def _egress_silent(rig: Rig, router: str) -> Ready:
    egress = rig.topology.segment(EGRESS)
    return _dropping(rig, [(egress, drops.pairs(egress, rig.host(router), rig.host(BUSINESS)))])


def _unplugged(rig: Rig, segment: str, far_end: str) -> Ready:
    """The other end of a cable goes down: no carrier, addresses and routes stay."""
    namespace = rig.segment(segment)
    return Ready(
        lambda: namespace.set_link(far_end, up=False), lambda: namespace.set_link(far_end, up=True)
    )


def _link(rig: Rig, router: str) -> Ready:
    endpoint = rig.host(ENDPOINT)
    return _unplugged(rig, INTERNET, endpoint.peer_name(rig.uplink(router)))


def _egress(rig: Rig, router: str) -> Ready:
    host = rig.host(router)
    return _unplugged(rig, EGRESS, host.peer_name(host.on(EGRESS)[0]))


def _address(rig: Rig, router: str) -> Ready:
    uplink, namespace = rig.uplink(router), rig.netlink(ENDPOINT)
    address = rig.tunnel_address(router)

    def inject() -> None:
        namespace.remove_address(uplink.name, address)

    # Puts back the routes too that went with the address.
    return Ready(inject, lambda: _build(rig))


def _build(rig: Rig) -> None:
    rig.network.build()


def _host(rig: Rig, router: str) -> Ready:
    """Silence on all its links first, as of a machine without power, then its processes end.

    The namespace outlives the host's processes and would answer for it with ICMP errors,
    which a machine without power cannot; and what the kernel knew is forgotten.
    """
    host = rig.host(router)
    silence = _dropping(rig, list(everything_of(rig.topology, host)))
    init = rig.init_process(router)
    own = rig.netlink(router)
    killed = False

    def inject() -> None:
        nonlocal killed
        silence.inject()
        init.send(signal.SIGKILL)
        killed = True
        own.nft("flush ruleset")
        own.forget_connections()

    def heal() -> None:
        silence.heal()
        if killed:
            rig.boot(router, _BOOT_S)

    return Ready(inject, heal)


def everything_of(topology: Topology, host: Host) -> Iterable[tuple[Segment, list[Pair]]]:
    """The address pairs of all packets to and from a host, the network of the tunnels first."""
    for segment in sorted(topology.segments, key=lambda s: s.name != INTERNET):
        if host.on(segment.name):
            others = [h for h, _ in topology.attached(segment.name) if h.name != host.name]
            unique = {other.name: other for other in others}.values()
            yield segment, [p for other in unique for p in drops.pairs(segment, host, other)]


FAULTS = {
    "kill": Fault(_kill, 0, back_s=1.0),
    "stop": Fault(_stop, 2),
    "blackhole": Fault(_blackhole, 2),
    "blackhole_up": Fault(_blackhole_up, 2),
    "blackhole_down": Fault(_blackhole_down, 2),
    "link": Fault(_link, 2),
    "address": Fault(_address, 2),
    "egress": Fault(_egress, 2),
    "egress_silent": Fault(_egress_silent, 3, target_ms=(1000.0, 1000.0)),
    "host": Fault(_host, 2),
}
