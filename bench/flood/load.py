"""One TCP flow to the router's host through the tunnel, a ping beside it, and how the tunnel is."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench import traffic
from bench.engines.base import INNER
from bench.flood.figures import Reading
from bench.flood.kinds import Flood
from bench.flood.site import Site
from bench.flood.suspicions import Suspicions
from bench.pair import Pair
from testbed.failed import Failed
from testbed.process import Child
from testbed.wait import wait_until

PINGS_A_SECOND = 100
_SERVER_S = 5.0
_FLOW_S = 1.0
_SETTLE_S = 0.5
_PATIENCE_S = 10.0
_POLL_S = 0.1
_CONNECTED_BYTES = 1 << 20


def measured(
    site: Site, pair: Pair, endpoint: Child, flood: Flood, seconds: float, *, dropped: bool
) -> Reading:
    """The flow gets going, then the flood begins, then it is measured. Raises Failed."""
    port, datagram = site.of_session(endpoint)
    what, source = flood.kind.junk(port, datagram), flood.kind.source(port)
    server = pair.start("b", "iperf3", ["iperf3", "--server", "--interval", "0"])
    load: Child | None = None
    try:
        wait_until(
            lambda: site.listening("--tcp", traffic.IPERF3_PORT), _SERVER_S, "iperf3 listens"
        )
        lasts = seconds + _FLOW_S + _SETTLE_S + 2 * _PATIENCE_S
        load = pair.start("a", "load", traffic.iperf3(INNER["b"], lasts))
        time.sleep(_FLOW_S)
        if site.received() < _CONNECTED_BYTES:
            raise Failed(f"the TCP flow does not get going:\n{load.tail}")
        limit = seconds + _SETTLE_S + _PATIENCE_S
        suspicions = Suspicions()
        suspicions.saw(site.tunnel_status())
        with site.flooded(what, source, flood.rate, limit, dropped=dropped) as sent:
            _watch(site, suspicions, _SETTLE_S)
            reading = _read(site, pair, suspicions, seconds)
        if dropped:
            load.check()
        last = site.tunnel_status()
        if last is None:
            raise Failed("the endpoint does not tell how its tunnel is")
        suspicions.saw(last)
    finally:
        for child in (load, server):
            if child is not None:
                pair.end(child)
    pair.check()
    reading.suspicions, reading.sent_a_second = suspicions.count, sent[0]
    return reading


def _read(site: Site, pair: Pair, suspicions: Suspicions, seconds: float) -> Reading:
    ping = pair.start("a", "ping", traffic.ping(INNER["b"], seconds, PINGS_A_SECOND))
    try:
        began, carried = time.monotonic(), site.received()
        used, unread = site.router_seconds(), site.unread()
        _watch(site, suspicions, seconds)
        passed = time.monotonic() - began
        carried = site.received() - carried
        used, unread = site.router_seconds() - used, site.unread() - unread
        # What has not come back then counts as lost.
        _watch(site, suspicions, _PATIENCE_S / 2, lambda: ping.process.poll() is not None)
    finally:
        pair.end(ping)
    return Reading(
        gbps=carried * 8 / passed / 1e9,
        pings=round(seconds * PINGS_A_SECOND),
        replies_ms=traffic.replies_ms(ping.said),
        router_percent=100 * used / passed,
        unread_a_second=unread / passed,
        tracked=site.tracked(),
        rss_mb=site.router_mb(),
    )


def _watch(
    site: Site, suspicions: Suspicions, seconds: float, enough: Callable[[], bool] = lambda: False
) -> None:
    """Ask the endpoint for so long, or until it is enough."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not enough():
        time.sleep(min(_POLL_S, left))
        suspicions.saw(site.tunnel_status())
