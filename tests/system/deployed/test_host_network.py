"""systemd keeps what an agent has set up over a crash, and removes it where it ends for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from host_state import changed, dump

CONFIGURATION = "/etc/network-routing-system"
HOSTS = [("endpoint_1", "network_access_endpoint"), ("router_1", "routing_server")]
HELD = "/run/held"
PUT_BACK_S = 2.0


@pytest.fixture(autouse=True)
def _settled(lab: Any, wait: Callable[..., float]) -> Iterator[None]:
    """Each test begins and ends with every tunnel up."""
    wait(lab.all_up, 30, "two tunnels of each endpoint up before the test")
    yield
    wait(lab.all_up, 60, "two tunnels of each endpoint up after the test")


def state(lab: Any, host: str, unit: str) -> str:
    said: str = lab.exec(host, "systemctl", "show", "-p", "ActiveState,SubState", "--value", unit)
    return " ".join(said.split())


@pytest.mark.parametrize(("host", "unit"), HOSTS)
def test_an_agent_that_fails_for_good_leaves_the_host_as_a_stopped_one(
    lab: Any, wait: Callable[..., float], host: str, unit: str
) -> None:
    running = dump(lab, host)
    path = f"{CONFIGURATION}/{unit}.yaml"
    lab.exec(host, "systemctl", "stop", unit)
    stopped = dump(lab, host)
    assert changed(running, stopped), "the agent has set up nothing that could be left"
    try:
        lab.exec(host, "systemctl", "start", unit)
        wait(lambda: changed(stopped, dump(lab, host)), 20, "all is set up again")
        # The next process refuses the file, so nobody comes to remove what this one has set up.
        lab.exec(host, "sh", "-c", f"cp -p {path} /root/kept && echo 'surprise: true' >>{path}")
        lab.exec(host, "systemctl", "kill", "-s", "KILL", unit)
        wait(lambda: state(lab, host, unit) == "failed failed", 20, "it is not started again")
        assert changed(stopped, dump(lab, host)) == []
    finally:
        lab.exec(host, "sh", "-c", f"if test -e /root/kept; then mv /root/kept {path}; fi")
        lab.run("exec", host, "systemctl", "reset-failed", unit, check=False)
        lab.exec(host, "systemctl", "start", unit)


@pytest.mark.parametrize(("host", "unit"), HOSTS)
def test_after_a_kill_all_stays_until_the_agent_is_back(
    lab: Any, wait: Callable[..., float], host: str, unit: str
) -> None:
    """So that nothing leaks past a full tunnel; the next process is held back, to have a look."""
    directory = f"/run/systemd/system/{unit}.service.d"
    hold = f"ExecStartPre=+/bin/sh -c 'while test -e {HELD}; do sleep 0.1; done'"
    drop_in = f'mkdir -p {directory} && printf "%s\\n" "[Service]" "{hold}" >{directory}/held.conf'
    lab.exec(host, "sh", "-c", f"{drop_in} && touch {HELD} && systemctl daemon-reload")
    try:
        running = dump(lab, host)
        lab.exec(host, "systemctl", "kill", "-s", "KILL", unit)
        wait(lambda: state(lab, host, unit) == "activating start-pre", 10, "it is gone")
        assert changed(running, dump(lab, host)) == []
        assert state(lab, host, unit) == "activating start-pre"
    finally:
        lab.exec(host, "sh", "-c", f"rm -r {HELD} {directory} && systemctl daemon-reload")
    wait(lambda: state(lab, host, unit) == "active running", 20, "it is back")
    assert changed(running, dump(lab, host)) == []


@pytest.mark.parametrize(
    "parameter",
    [
        "net.ipv4.ip_forward",
        "net.ipv6.conf.all.forwarding",
        "net.ipv4.conf.egress0.forwarding",
        "net.ipv4.conf.tun0.forwarding",
    ],
)
def test_root_turns_forwarding_on_again_for_the_hardened_agent(
    lab: Any, wait: Callable[..., float], parameter: str
) -> None:
    """The agent itself may not write there: its unit has the kernel's parameters read-only."""
    host, before = "router_1", lab.status("router_1")["put_back"]
    watch = (
        f"sysctl -qw {parameter}=0; began=$(date +%s%N);"
        f" while test $(sysctl -n {parameter}) = 0; do sleep 0.05; done;"
        " echo $((($(date +%s%N) - began) / 1000000))"
    )
    took_ms = int(lab.exec(host, "timeout", "20", "bash", "-c", watch))
    assert took_ms <= 1000 * PUT_BACK_S
    wait(lambda: lab.status(host)["put_back"] > before, 5, "it is counted")
    helper = lab.exec(host, "systemctl", "show", "-p", "Result", "network_routing_forwarding")
    assert helper.strip() == "Result=success"
    said = lab.exec(host, "journalctl", "-q", "-o", "cat", "-n", "50", "-u", "routing_server")
    assert f"somebody else has turned {parameter} off: put back" in said
