"""What agents cost that carry nothing."""

from __future__ import annotations

import time

from testbed import proc

from tests.netns.conftest import one_router
from tests.netns.world import BUSINESS, World

WINDOW_S = 10.0
MOST_PERCENT = 2.0
"""Of a core, each agent and its companion; the figure itself is a benchmark's business."""


def test_idle_agents_cost_next_to_nothing(world: World) -> None:
    agents = one_router(world)
    assert world.ping(BUSINESS[0])
    time.sleep(2)  # the traffic is over, the companions have started
    before = [proc.seconds([agent.process.pid]) for agent in agents]
    time.sleep(WINDOW_S)
    after = [proc.seconds([agent.process.pid]) for agent in agents]
    used = [100 * (b - a) / WINDOW_S for a, b in zip(before, after, strict=True)]
    print(f"router {used[0]:.2f} %, endpoint {used[1]:.2f} % of a core")
    assert max(used) <= MOST_PERCENT
