"""The names of scenarios and rules, for whoever offers them; nothing is loaded with them."""

from __future__ import annotations

SCENARIOS = (STEADY_ASYNC, STEADY_SYNC, HETEROGENEOUS, DEATH, RETURN, BURST, SCALE) = (
    "steady_async",
    "steady_sync",
    "heterogeneous",
    "death",
    "return",
    "burst",
    "scale",
)

RULES = (BALANCER, PLAIN) = ("balancer", "plain")
"""The load balancer, and the best score with threshold and hold time alone."""
