"""The lab's networks as the kernel has them."""

from __future__ import annotations

import os

import pytest

from lab.network import Network
from lab.topology import EGRESS, INTERNET, MANAGEMENT, lab
from testbed.command import run
from testbed.failed import Failed

TOPOLOGY = lab()


@pytest.fixture
def network():
    made = Network(f"nrsu{os.getpid()}", TOPOLOGY)
    try:
        yield made
    finally:
        made.remove()
        assert made.names() == []


def test_everything_is_made_once_and_packets_go_where_they_should(network):
    assert network.build() > 100
    assert network.build() == 0
    for near, far, segment in (
        ("endpoint_1", "router_1", INTERNET),
        ("router_1", "business", EGRESS),
        ("control", "lb", MANAGEMENT),
    ):
        for address in TOPOLOGY.host(far).on(segment)[0].plain_addresses:
            ping = network.namespace(near).enter("ping", "-c", "1", "-W", "5", address)
            assert " 1 received" in run(ping)


def test_a_cable_is_pulled_and_put_back(network):
    host = TOPOLOGY.host("router_1")
    interface = host.on(EGRESS)[0]
    with pytest.raises(Failed, match="the lab is not up: bin/lab up"):
        network.cut(host, interface)
    network.build()
    network.cut(host, interface)
    assert network.cut_interfaces() == [(host, interface)]
    (shown,) = network.namespace("router_1").ip_json("address", "show", interface.name)
    assert "NO-CARRIER" in shown["flags"]
    assert len([info for info in shown["addr_info"] if info["scope"] == "global"]) == 2
    network.join(host, interface)
    assert network.cut_interfaces() == []


def test_what_this_command_stands_in_may_stay(network):
    network.build()
    network.remove(keep=["control"])
    assert network.names() == ["control"]
