"""Packets at router_a, as its kernel counts them."""

from __future__ import annotations

import re

from tests.netns.world import World


def count(world: World, hook: str, priority: int, which: str) -> None:
    """Count such packets (nft's words) from now on."""
    chain = f"type filter hook {hook} priority {priority}; {which} counter"
    world.exec("router_a", "nft", f"table inet watch {{ chain c {{ {chain}; }}; }}")


def counted(world: World) -> int:
    listing = world.exec("router_a", "nft", "list table inet watch")
    match = re.search(r"counter packets (\d+)", listing)
    assert match, listing
    return int(match[1])


def stop_counting(world: World) -> None:
    world.exec("router_a", "nft", "delete table inet watch")
