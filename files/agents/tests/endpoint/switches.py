"""Switches to test with."""

from __future__ import annotations

from typing import Any

from nrs.endpoint.events import Evidence, Switch, SwitchLog

WHEN = 1_800_000_000.25


def evidence(router_id: str = "router_1", **fields: Any) -> Evidence:
    values: dict[str, Any] = {
        "router_id": router_id,
        "state": "up",
        "rtt_ms": 0.6,
        "loss": 0.0,
        "unanswered": 0,
        "silent_ms": 4.0,
        "draining": False,
        "egress_up": True,
        "held_down": False,
    }
    return Evidence(**{**values, **fields})


def fields_of(**fields: Any) -> dict[str, Any]:
    """What `SwitchLog.add` is told of a failure of router_1."""
    failed = evidence(state="suspect", unanswered=3, silent_ms=43.4)
    values: dict[str, Any] = {
        "when": WHEN,
        "before": "router_1",
        "after": "router_2",
        "cause": "router_1 does not answer",
        "evidence": (failed, evidence("router_2"), evidence("router_3", held_down=True)),
        "rejected": {"router_3": "held down"},
        "resent": 12,
        "flows_moved": 0,
    }
    return {**values, **fields}


def switch(number: int = 1, **fields: Any) -> Switch:
    return Switch(**{"number": number, **fields_of(), **fields})


def log_of(count: int, **options: Any) -> SwitchLog:
    """A log with `count` switches, a second apart."""
    switches = SwitchLog(**options)
    for n in range(count):
        switches.add(**fields_of(when=WHEN + n))
    return switches
