"""How long a new endpoint's handshake takes while others send junk HELLOs."""

from __future__ import annotations

import time

from bench.flood import junk
from bench.flood.junk import Source
from bench.flood.kinds import HANDSHAKE_RATE
from bench.flood.site import Site
from bench.pair import Pair
from testbed.failed import Failed

GIVE_UP_S = 10.0
_START_S = 30.0
_SETTLE_S = 1.0
_POLL_S = 0.05


def trial(site: Site, pair: Pair, source: Source, *, dropped: bool) -> float | None:
    """Seconds from the endpoint's first datagram until its tunnel is up; None: not in time.

    Raises Failed where it sends nothing.
    """
    limit = _SETTLE_S + _START_S + GIVE_UP_S
    with (
        site.line() as line,
        site.flooded(junk.hello(), source, HANDSHAKE_RATE, 2 * limit, dropped=dropped),
    ):
        time.sleep(_SETTLE_S)
        endpoint = site.start_endpoint()
        try:
            began = time.monotonic()
            while (first := line.next()) is None:
                if time.monotonic() - began > _START_S:
                    raise Failed(f"the endpoint sends nothing:\n{endpoint.tail}")
                endpoint.check()
                time.sleep(_POLL_S)
            took = _up_after(site, first.when)
        finally:
            pair.end(endpoint)
    pair.check()
    return took


def _up_after(site: Site, first: float) -> float | None:
    while time.time() < first + GIVE_UP_S:
        tunnel = site.tunnel_status()
        if tunnel is not None and tunnel["up"]:
            return max(0.0, float(tunnel["since"]) - first)
        time.sleep(_POLL_S)
    return None
