"""What iperf3 and ping are asked, and what is read from their answers."""

from __future__ import annotations

import json

import pytest

from bench import traffic
from bench.traffic import Offer
from testbed.failed import Failed

PING = """PING 10.10.1.1 (10.10.1.1) 56(84) bytes of data.
64 bytes from 10.10.1.1: icmp_seq=1 ttl=64 time=0.512 ms
64 bytes from 10.10.1.1: icmp_seq=2 ttl=64 time=12.0 ms
64 bytes from 10.10.1.1: icmp_seq=4 ttl=64 time=1.5 ms

--- 10.10.1.1 ping statistics ---
4 packets transmitted, 3 received, 25% packet loss, time 150ms
rtt min/avg/max/mdev = 0.512/4.670/12.000/5.201 ms
"""


def test_tcp_is_what_the_receiver_got() -> None:
    end = {
        "sum_sent": {"bytes": 9e9, "bits_per_second": 9e9},
        "sum_received": {"bytes": 1.5e9, "bits_per_second": 4e9},
    }
    tcp = traffic.parse_tcp(json.dumps({"end": end}))
    assert (tcp.gbps, tcp.gigabytes) == (4.0, 1.5)


def test_udp_is_what_was_delivered() -> None:
    end = {"sum": {"packets": 1000, "lost_packets": 250, "seconds": 2.0}}
    udp = traffic.parse_udp(json.dumps({"end": end}), 1250)
    assert (udp.delivered, udp.loss_percent, udp.gbps) == (750, 25.0, 0.00375)


def test_reordered_packets_that_come_late_are_no_negative_loss() -> None:
    end = {"sum": {"packets": 1000, "lost_packets": -2, "seconds": 2.0}}
    assert traffic.parse_udp(json.dumps({"end": end}), 64).loss_percent == 0.0


@pytest.mark.parametrize(
    "output",
    [
        "",
        "iperf3: error",
        json.dumps({"end": {}, "error": "unable to connect"}),
        json.dumps({"end": {}}),
        json.dumps({"end": {"sum_received": {"bytes": 0, "bits_per_second": 0.0}}}),
    ],
)
def test_a_report_without_figures_is_an_error(output: str) -> None:
    with pytest.raises(Failed):
        traffic.parse_tcp(output)


def test_a_flow_of_which_nothing_arrives_is_an_error() -> None:
    end = {"sum": {"packets": 1000, "lost_packets": 1000, "seconds": 2.0}}
    with pytest.raises(Failed):
        traffic.parse_udp(json.dumps({"end": end}), 64)


def test_the_median_of_pings_is_over_the_answers() -> None:
    assert traffic.replies_ms(PING) == [0.512, 12.0, 1.5]
    assert traffic.median_ms([0.512, 12.0, 1.5]) == 1.5
    with pytest.raises(Failed):
        traffic.median_ms([])


def test_a_client_offers_udp_of_one_size() -> None:
    command = traffic.iperf3("10.10.1.1", 3, udp=Offer("40M", 64, 4096))
    assert command[command.index("--length") + 1] == "64"
    assert command[command.index("--bitrate") + 1] == "40M"
    assert "--reverse" not in command
    assert "--udp" not in traffic.iperf3("10.10.1.1", 3, reverse=True, flows=4)


def test_what_connections_have_received_is_added_up() -> None:
    listed = """ESTAB 0 0 10.10.1.1:5201 10.10.100.1:40000
\t cubic bytes_sent:4 bytes_acked:5 bytes_received:37 segs_out:3
ESTAB 0 0 10.10.1.1:5201 10.10.100.1:40002
\t cubic bytes_received:4000000000 segs_out:3
"""
    assert traffic.received_bytes(listed) == 4_000_000_037
    assert traffic.received_bytes("") == 0
