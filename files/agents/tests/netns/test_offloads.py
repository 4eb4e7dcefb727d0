"""Each offload that a kernel or a network card may lack, missing by itself.

What this kernel has is taken away by a library in front of the agents' calls.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.netns import transfer
from tests.netns.conftest import one_router
from tests.netns.world import BUSINESS, World

ALL = {"csum", "tso4", "tso6", "uso4", "uso6", "udp_segment", "udp_gro"}
MISSING = {
    "no-uso": {"uso4", "uso6"},
    "no-tso": {"tso4", "tso6", "uso4", "uso6"},
    "no-csum": {"csum", "tso4", "tso6", "uso4", "uso6"},
    "no-gro": {"udp_gro"},
    "segment-eio": {"udp_segment"},
    "segment-eopnotsupp": {"udp_segment"},
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes calls fail."""
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run(
        ["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True
    )
    return library


def carries_everything(world: World) -> None:
    for address in BUSINESS:
        transfer.tcp(world, address, 2_000_000)
        transfer.tcp(world, address, 2_000_000, upload=True)
        transfer.udp(world, address)
        assert world.ping(address)


@pytest.mark.parametrize(
    ("codec", "fault"),
    [
        ("c", "no-uso"),
        ("python", "no-uso"),
        ("python", "no-tso"),
        ("c", "no-csum"),
        ("python", "no-gro"),
        ("c", "segment-eio"),
        ("python", "segment-eio"),
        ("c", "segment-eopnotsupp"),
    ],
    indirect=["codec"],
)
def test_an_offload_that_fails_is_switched_off_and_traffic_flows(
    world: World, codec: str, faults: Path, fault: str
) -> None:
    world.environment |= {"LD_PRELOAD": str(faults), "NRS_TEST_FAULT": fault}
    router, endpoint = one_router(world)
    carries_everything(world)
    for agent in (router, endpoint):
        status = agent.status()
        assert set(status["offloads"]) == ALL - MISSING[fault]
        assert not any(status["figures"]["drops"].values())


def test_super_packets_reach_a_router_whose_device_takes_none(
    world: World, codec: str, faults: Path
) -> None:
    healthy = dict(world.environment)
    world.environment |= {"LD_PRELOAD": str(faults), "NRS_TEST_FAULT": "no-csum"}
    router = world.router("router_a")
    world.environment = healthy
    _, endpoint = one_router(world, router=router)
    carries_everything(world)
    assert set(endpoint.status()["offloads"]) == ALL
    assert set(router.status()["offloads"]) == {"udp_segment", "udp_gro"}
    assert not any(router.status()["figures"]["drops"].values())
