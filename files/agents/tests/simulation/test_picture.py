from __future__ import annotations

import struct

from nrs.simulation.measures import Sample
from nrs.simulation.picture import draw

RUN = [Sample(float(at), 0.2, 0.5, 0.8, (0.2, 0.8)) for at in range(0, 600, 10)]
OTHER = [Sample(float(at), 0.2, 0.5, 1.8, (0.2, 1.8)) for at in range(0, 600, 10)]


def test_each_run_has_a_panel() -> None:
    one, two = draw([("balancer", RUN)]), draw([("balancer", RUN), ("plain", OTHER)])
    heights = [struct.unpack_from(">I", data, 20)[0] for data in (one, two)]
    assert heights[1] == 2 * heights[0]


def test_other_loads_look_other() -> None:
    assert draw([("balancer", RUN)]) == draw([("balancer", RUN)])
    assert draw([("balancer", RUN)]) != draw([("balancer", OTHER)])


def test_a_single_sample_can_be_drawn() -> None:
    assert draw([("balancer", RUN[:1])]).startswith(b"\x89PNG")
