"""Rules that keep the tunnels' own datagrams out of connection tracking. Pure.

A stranger's HELLOs would fill its table, and then no connection could begin. What is forwarded
stays tracked, also to and from the same ports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_RAW = -300
"""Before connection tracking (-200), after fragments are put together (-400)."""
_ZONE = 51820


def ruleset(table: str, tunnel: str, ports: Sequence[int]) -> list[dict[str, Any]]:
    """Commands that add the rules, in chains of their own, to the table of family inet.

    They take more of the kernel than the table's other ones: `fib` and zones.

    A connection from behind a tunnel whose source port is one of `ports` was perhaps masqueraded
    with it while this was no port of a tunnel, and is known for as long as it sends, its answers
    lost. What it sends is looked up in a zone of its own, so it is masqueraded once more.
    """
    place = {"family": "inet", "table": table}
    from_tunnel = _is({"meta": {"key": "iifname"}}, tunnel)
    to_host = _is({"fib": {"result": "type", "flags": ["daddr"]}}, "local")
    zone = {"mangle": {"key": {"ct": {"key": "zone", "dir": "original"}}, "value": _ZONE}}
    rules = {
        "prerouting": (
            [_has("dport", ports), to_host, {"notrack": None}],
            [from_tunnel, _has("sport", ports), zone],
        ),
        "output": ([_has("sport", ports), {"notrack": None}],),
    }
    commands: list[dict[str, Any]] = []
    for hook, expressions in rules.items():
        name = f"untracked_{hook}"
        kind = {"type": "filter", "hook": hook, "prio": _RAW, "policy": "accept"}
        commands.append({"add": {"chain": {**place, "name": name, **kind}}})
        commands += [{"add": {"rule": {**place, "chain": name, "expr": e}}} for e in expressions]
    return commands


def _has(field: str, ports: Sequence[int]) -> dict[str, Any]:
    return _is({"payload": {"protocol": "udp", "field": field}}, {"set": sorted(ports)})


def _is(left: dict[str, Any], right: object) -> dict[str, Any]:
    return {"match": {"op": "==", "left": left, "right": right}}
