"""What runs in the lab, as text: hosts, links, faults, tunnels and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Sequence[str]

_NEXT_STEPS = """\
What to try next:
  bin/lab exec endpoint_1 nrs status
  bin/lab exec endpoint_1 ping -c 5 -I tun0 198.51.100.10
  bin/lab exec endpoint_1 curl -o /dev/null http://[2001:db8:100::10]/100M.bin
  bin/lab exec endpoint_1 iperf3 -c 198.51.100.10
  bin/lab blackhole endpoint_1 {router}      (and unblackhole)
  bin/lab cut {router} egress0               (and join)
  bin/lab exec {router} systemctl kill -s KILL routing_server
  bin/lab status
  bin/lab down"""


def next_steps(statuses: Mapping[str, Mapping[str, Any]]) -> str:
    """Commands worth trying; those that break something name the router in use."""
    active = [
        tunnel.get("router_id")
        for tunnel in statuses.get("endpoint_1", {}).get("tunnels", ())
        if tunnel.get("active")
    ]
    return _NEXT_STEPS.format(router=active[0] if active else "router_1")


def table(title: Row, rows: Iterable[Row]) -> str:
    """Columns as wide as their widest cell."""
    lines = [title, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(title))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def tunnels(statuses: Mapping[str, Mapping[str, Any]]) -> str:
    """The tunnel table, from each endpoint's `nrs status --json`."""
    rows = [
        (
            name,
            str(tunnel.get("router_id", "?")),
            "up" if tunnel.get("up") else "down",
            "active" if tunnel.get("active") else "standby",
            _number(tunnel.get("rtt_ms"), "{:.2f} ms"),
            str(status.get("codec") or "-"),
        )
        for name, status in statuses.items()
        for tunnel in status.get("tunnels", ())
    ]
    return table(("ENDPOINT", "ROUTER", "TUNNEL", "ROLE", "RTT", "CODEC"), rows)


def scores(status: Mapping[str, Any]) -> str:
    """The routers as the load balancer's `/status` reports them."""
    rows = [
        (
            str(server.get("server_id", "?")),
            str(server.get("status", "?")),
            _number(server.get("score"), "{:.3f}"),
            _number(server.get("cpu_percent"), "{:.0f} %"),
            _number(server.get("memory_percent"), "{:.0f} %"),
            _number(server.get("bandwidth_mbps"), "{:.1f} Mb/s"),
            _number(server.get("active_tunnels"), "{}"),
        )
        for server in status.get("servers", ())
    ]
    return table(("ROUTER", "STATUS", "SCORE", "CPU", "MEMORY", "BANDWIDTH", "TUNNELS"), rows)


def _number(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)
