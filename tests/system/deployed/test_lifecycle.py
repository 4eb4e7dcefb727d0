"""The playbooks of a network's life: how it fares, removing devices, renewing certificates."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CONTROLLER = "https://[fd88::12]:8090"
ETC = "/etc/network-routing-system"
DEAD = "endpoint_2"
OF_SERVICES = {"lb": "load_balancer", "controller": "network_controller"}
Wait = Callable[..., float]


def play(lab: Any, playbook: str, *words: str, limit: float = 300) -> Any:
    """A playbook of the collection that has ended."""
    return lab.ansible("ansible-playbook", f"nrs.network_routing.{playbook}", *words, limit=limit)


def played(lab: Any, playbook: str, *words: str) -> str:
    """What one that did not fail said."""
    ended = play(lab, playbook, *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return str(ended.stdout)


def changes(said: str) -> dict[str, int]:
    """How many tasks changed something, by host."""
    recap = said.rpartition("PLAY RECAP")[2].splitlines()
    lines = [line.split() for line in recap if "changed=" in line]
    return {line[0]: int(line[3].removeprefix("changed=")) for line in lines}


def test_status_is_green_and_red_by_the_agents_themselves(
    lab: Any, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_DISPLAY_OK_HOSTS", "true")
    wait(lab.all_up, 30, "all tunnels up")
    said = played(lab, "status")
    assert set(changes(said).values()) == {0}
    for host, unit in lab.UNITS:
        assert host in said and unit in said
    assert "2/2" in said
    lab.exec("router_3", "systemctl", "stop", "routing_server")
    try:
        wait(lambda: not lab.tunnels(DEAD)["router_3"]["up"], 30, "its tunnel is down")
        ended = play(lab, "status", "--check")
    finally:
        lab.exec("router_3", "systemctl", "start", "routing_server")
    assert ended.returncode != 0
    for problem in ("router_3: routing_server does not run", f"{DEAD}: no tunnel with router_3"):
        assert problem in ended.stdout, ended.stdout
    wait(lab.all_up, 30, "all tunnels up again")


def test_certificates_are_renewed_while_the_services_answer(lab: Any) -> None:
    def shown() -> dict[str, str]:
        return {
            host: lab.exec(host, "sha256sum", f"{ETC}/certificate_{unit}.pem")
            for host, unit in OF_SERVICES.items()
        }

    before, failures, over = shown(), [], threading.Event()
    url = "https://[fd88::11]:8080/health"

    def ask() -> None:
        words = ("curl", "-sS", "-g", "-m", "10", "--cacert", f"{ETC}/ca.pem", "-o", "/dev/null")
        while not over.is_set():
            asked = lab.run("exec", "endpoint_1", *words, url, check=False)
            failures.extend([asked.stderr] if asked.returncode else [])

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        played(lab, "renew_certificates", "-e", "nrs_certificate_renew_days=400")
    finally:
        over.set()
        asking.join()
    assert failures == []
    after = shown()
    assert all(after[host] != before[host] for host in OF_SERVICES)
    assert json.loads(lab.exec("lb", "nrs", "status", "--json"))["files_not_in_force"] == []


def test_a_removal_is_predicted_and_changes_nothing(lab: Any) -> None:
    said = played(lab, "remove_router", "-e", "nrs_remove=router_1", "--check")
    predicted = changes(said)
    assert predicted["controller"] > 0 and predicted["endpoint_1"] > 0
    assert predicted["router_2"] == predicted["router_3"] == 0
    assert lab.tunnels("endpoint_1").keys() == {"router_1", "router_2"}
    predicted = changes(played(lab, "remove_endpoint", "-e", f"nrs_remove={DEAD}", "--check"))
    assert predicted["controller"] > 0 and predicted[DEAD] > 0
    assert predicted["endpoint_1"] == 0
    assert lab.tunnels(DEAD).keys() == {"router_2", "router_3"}
    online = {one["device_id"] for one in _devices(lab) if one["status"] == "online"}
    assert {"router_1", DEAD} <= online


def _devices(lab: Any, path: str = "devices") -> list[dict[str, Any]]:
    token = lab.token(CONTROLLER)
    words = (
        "curl",
        "-sS",
        "-g",
        "--cacert",
        f"{ETC}/ca.pem",
        "-H",
        f"Authorization: Bearer {token}",
    )
    found: list[dict[str, Any]] = json.loads(
        lab.exec("controller", *words, f"{CONTROLLER}/{path}")
    )["devices"]
    return found


def _take_back(lab: Any, wait: Wait, device_id: str) -> None:
    module = {
        "url": "https://[::1]:8090",
        "ca_path": f"{ETC}/ca.pem",
        "token": lab.token(CONTROLLER),
        "device_id": device_id,
    }
    words = ("-m", "nrs.network_routing.network_device", "-a", json.dumps(module))
    lab.ansible("ansible", "controller", *words)
    played(lab, "site")
    wait(lab.all_up, 60, "all tunnels up again")


@pytest.fixture
def dead(lab: Any, wait: Wait) -> Iterator[Callable[[], None]]:
    """A host that the control node does not reach, until what it gives is called.

    After the test it is a device of the network again.
    """
    away = (
        "add table inet dead; add chain inet dead input { type filter hook input priority -300; };"
    )
    away += " add rule inet dead input iifname eth0 tcp dport 22 drop"
    lab.exec(DEAD, "nft", away)

    def back() -> None:
        lab.run("exec", DEAD, "nft", "delete table inet dead", check=False)

    yield back
    back()
    _take_back(lab, wait, DEAD)


@pytest.mark.nightly
def test_a_dead_endpoint_is_removed_and_stays_out_when_it_comes_back(
    lab: Any, wait: Wait, dead: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_DISPLAY_OK_HOSTS", "true")
    remove = ("remove_endpoint", "-e", f"nrs_remove={DEAD}")
    said = played(lab, *remove)
    assert f"{DEAD} is out" in said and f"{DEAD} does not answer" in said
    again = played(lab, *remove)
    assert {host: count for host, count in changes(again).items() if count} == {}
    (removed,) = _devices(lab, "removed_devices")
    assert (removed["device_id"], removed["owed"]) == (DEAD, None)
    # It has gone on, with all that it had.
    dead()
    lab.exec(DEAD, "systemctl", "restart", "network_access_endpoint")
    journal = ("journalctl", "-q", "-o", "cat", "--since", "-60s", "-u", "network_access_endpoint")
    wait(lambda: "answered 401" in lab.exec(DEAD, *journal), 30, "it is told that it is out")
    assert DEAD not in {device["device_id"] for device in _devices(lab)}
    # Where it answers, nothing is left on it.
    said = played(lab, *remove)
    assert "keeps its keys" not in said
    assert lab.run("exec", DEAD, "test", "-e", ETC, check=False).returncode == 1


@pytest.mark.nightly
def test_a_router_is_removed_and_its_endpoints_forget_it(lab: Any, wait: Wait) -> None:
    wait(lab.all_up, 30, "all tunnels up")
    try:
        played(lab, "remove_router", "-e", "nrs_remove=router_3")
        assert lab.tunnels("endpoint_2").keys() == {"router_2"}
        assert lab.tunnels("endpoint_2")["router_2"]["active"]
        assert lab.run("exec", "router_3", "test", "-e", ETC, check=False).returncode == 1
    finally:
        _take_back(lab, wait, "router_3")
