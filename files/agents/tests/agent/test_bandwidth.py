from __future__ import annotations

import pytest

from nrs.agent.bandwidth import Bandwidth

BEFORE = Bandwidth(100.0, 1_000_000, 2_000_000)


@pytest.mark.parametrize(
    ("after", "mbps"),
    [
        (Bandwidth(110.0, 2_250_000, 2_000_000), 1.0),
        (Bandwidth(110.0, 2_250_000, 4_500_000), 2.0),
        (Bandwidth(110.0, 0, 0), 0.0),  # the agent has been started anew
        (Bandwidth(100.0, 9_000_000, 9_000_000), 0.0),
    ],
)
def test_the_busier_direction_counts(after: Bandwidth, mbps: float) -> None:
    assert after.mbps_since(BEFORE) == pytest.approx(mbps)
