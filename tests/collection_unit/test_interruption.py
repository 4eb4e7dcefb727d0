"""A run that changes the tunnel protocol asks first; then all change at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from changing_host import COMMON, ChangingHost, tasks_of
from fake_systemd import Systemd, running
from local_host import LocalHost, Play

CHECKOUT = Path(__file__).resolve().parents[2]
GROUPS = {
    "load_balancers": ["lb"],
    "routing_servers": ["router_1", "router_2"],
    "network_access_endpoints": ["endpoint_1", "endpoint_2", "endpoint_3"],
}
COSTS = (
    "The tunnel protocol goes from 1 to 2 on 2 routers and 3 endpoints, and hosts with different"
    " ones have no tunnels with each other: tunnels are down from the change of the first router"
    " until the last endpoint has changed."
)
HOW = (
    "In a maintenance window run it with -e nrs_accept_interruption=true, for all routers and"
    " endpoints, without --limit."
)
ACCEPTED = ("-e", "nrs_accept_interruption=true")
# What a router and an endpoint say of themselves; the latter one's tunnels are by the test.
ROUTER = {"egress_up": True, "egress_reason": None, "passes": {"IPv4": "open"}}
TUNNEL = {"router_id": "router_1", "up": True, "active": True}
COMMAND = f"""#!{sys.executable}
import sys
if sys.argv[1] == "status":
    print(open("{{place}}/said").read())
else:
    open("{{place}}/asked", "a").write(sys.argv[1] + "\\n")
"""


class Run(LocalHost):
    """Hosts with the release `old`, of the first protocol, that are to have `new`."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        super().__init__(tools, collections, cache, place)
        self.current = place / "opt" / "current"
        self.current.mkdir(parents=True)
        self.asks = "release_after.yml"
        self.groups = GROUPS
        self.hosts = {host: {} for hosts in GROUPS.values() for host in hosts}
        del self.variables["__common_probe"]
        for host in self.hosts:
            self.found(host, release="old")
        self.variables |= {
            "__common_build": {"stdout": json.dumps({"protocol": 2})},
            "_common_install_directory": str(place / "opt"),
            "_common_release_stamp": "new",
        }

    def found(self, host: str, **found: Any) -> None:
        """What was found on a host."""
        self.hosts[host]["__common_probe"] = {"stdout": json.dumps(found)}

    def goes_on(self, *words: str) -> str:
        said = self.play(self._play(), *words)
        assert self._went_on(), said
        return said

    def stops(self, *words: str) -> str:
        said = self.refused(*words)
        assert not self._went_on()
        return said

    def _went_on(self) -> bool:
        mark = self.place / "went_on"
        found = mark.exists()
        mark.unlink(missing_ok=True)
        return found

    def _play(self) -> Play:
        asks = tasks_of(COMMON, self.asks)
        marks = {"path": f"{self.place}/went_on", "state": "touch"}
        goes_on = {"ansible.builtin.file": marks, "check_mode": False, "run_once": True}
        # As site.yml has it: those that failed are not in the second one.
        return [
            {"hosts": "all", "gather_facts": False, "tasks": [task]} for task in (asks, goes_on)
        ]


@pytest.fixture
def run(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> Run:
    return Run(tools, installed, cache, tmp_path)


@pytest.mark.parametrize("words", [(), ("--check",)])
def test_it_stops_before_anything_is_changed(run: Run, words: tuple[str, ...]) -> None:
    assert run.stops(*words) == f"Nothing was changed. {COSTS} {HOW}"


@pytest.mark.parametrize("words", [(), ("--check",)])
def test_accepted_it_says_what_it_costs(run: Run, words: tuple[str, ...]) -> None:
    assert COSTS in run.goes_on(*ACCEPTED, *words)


def test_who_has_no_release_and_who_has_no_tunnels_does_not_count(run: Run) -> None:
    for host in ("router_2", "endpoint_3"):
        run.found(host, release="")
    run.found("endpoint_2", release="other", protocol=2)
    assert " on 1 routers and 1 endpoints, " in run.stops()
    run.found("router_1", release="new", protocol=2)
    run.found("endpoint_1", release="other", protocol=2)
    assert "protocol goes from" not in run.goes_on()


def test_a_change_that_was_cut_short_counts(run: Run) -> None:
    for host in run.hosts:
        run.found(host, release="new", protocol=2)
    run.found("endpoint_1", release="new", protocol=1, unfinished="old")
    assert " on 0 routers and 1 endpoints, " in run.stops()


LEFT = " Not in this run, so that they stay without tunnels with these: endpoint_2, endpoint_3."


@pytest.mark.parametrize(("protocol", "said"), [("", LEFT), ("1", LEFT), ("2", "")])
def test_who_is_left_out_is_named(run: Run, protocol: str, said: str) -> None:
    (run.current / "release").touch()
    if protocol:
        (run.current / "protocol").write_text(f"{protocol}\n")
    limited = ("--limit", "routing_servers,endpoint_1")
    costs = COSTS.replace("3 endpoints", "1 endpoints")
    assert run.stops(*limited) == f"Nothing was changed. {costs}{said} {HOW}"
    assert f"{costs}{said}" in run.goes_on(*limited, *ACCEPTED)


def test_left_out_is_nobody_without_a_release(run: Run) -> None:
    assert "Not in this run" not in run.stops("--limit", "routing_servers")


def test_who_cannot_be_asked_is_named(run: Run) -> None:
    nobody = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    run.hosts["router_2"] = nobody
    said = run.stops("--limit", "all:!router_2")
    assert "Not in this run, and not to be asked which one they have: router_2. In a" in said


def test_going_back_asks_too(run: Run) -> None:
    previous = run.place / "opt" / "previous"
    previous.mkdir()
    (previous / "release").write_text("older\n")
    probe = run.place / "python"
    found = {"release": "old", "unfinished": "", "protocol": 2}
    probe.write_text(f"#!/bin/sh\necho '{json.dumps(found)}'\n")
    probe.chmod(0o755)
    run.variables["nrs_python"] = str(probe)
    run.asks = "release_before.yml"
    assert "goes from 2 to 1 on 2 routers and 3 endpoints, and hosts" in run.stops()
    assert "goes from 2 to 1 on" in run.goes_on(*ACCEPTED)
    (previous / "protocol").write_text("2\n")
    assert "protocol goes from" not in run.goes_on()


@pytest.mark.parametrize("playbook", ["site", "rollback"])
@pytest.mark.parametrize(("protocol", "at_once"), [(1, True), (2, False)])
def test_all_with_tunnels_change_at_once(
    run: Run, playbook: str, protocol: int, at_once: bool
) -> None:
    plays = yaml.safe_load((CHECKOUT / "playbooks" / f"{playbook}.yml").read_text())
    serials = {
        play["hosts"]: play["serial"]
        for play in plays
        if play.get("hosts", "") in GROUPS and "serial" in play
    }
    assert set(serials) >= {"routing_servers", "network_access_endpoints"}
    change = {"from": "old", "to": "new", "protocols": [protocol, 2]}
    noted = {"ansible.builtin.set_fact": {"__common_change": change}}
    batch = {"ansible.builtin.debug": {"msg": "BATCH {{ ansible_play_batch | join('+') }}."}}
    found = run.play(
        [
            {"hosts": "all", "gather_facts": False, "tasks": [noted]},
            *(
                {"hosts": hosts, "serial": serial, "gather_facts": False, "tasks": [batch]}
                for hosts, serial in serials.items()
            ),
        ]
    )
    routers, endpoints = (
        f"BATCH {'+'.join(GROUPS[group])}."
        for group in ("routing_servers", "network_access_endpoints")
    )
    assert (routers in found, endpoints in found) == (at_once, at_once)
    assert ("BATCH router_1." in found, "BATCH endpoint_1." in found) == (not at_once, not at_once)


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    with running() as systemd:
        yield systemd


class Device(ChangingHost):
    """A router or an endpoint, which says what the test has it say."""

    def __init__(
        self,
        tools: Any,
        collections: Path,
        cache: Path,
        place: Path,
        systemd: Systemd,
        unit: str,
        protocols: list[int],
    ) -> None:
        super().__init__(tools, collections, cache, place, systemd.add(unit))
        self.environment = systemd.environment
        role = f"nrs.network_routing.{unit}"
        self.begins, self.ends = [tasks_of(role, "change.yml")], [tasks_of(role, "changed.yml")]
        command = place / "nrs"
        command.write_text(COMMAND.replace("{place}", str(place)))
        command.chmod(0o755)
        self.variables |= {
            "_common_path_command": str(command),
            "_common_drained_file": str(place / "drained_by_run"),
            "nrs_change_wait": 2,
            "nrs_drain_wait": 1,
            "nrs_drain_last": True,
            "__common_change": {"from": "old", "to": "new", "protocols": protocols},
        }

    def says(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Until it is started from the new release, and then."""
        said = self.place / "said"
        said.write_text(json.dumps(before))

        def start() -> bool:
            said.write_text(json.dumps(after if self.current() == "new" else before))
            return self._starts()

        self.agent.starts = start

    def asked(self) -> list[str]:
        """Of its command, beside what it says of itself."""
        file = self.place / "asked"
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def device(
    tools: Any,
    installed: Path,
    cache: Path,
    tmp_path: Path,
    systemd: Systemd,
    request: pytest.FixtureRequest,
) -> Device:
    return Device(tools, installed, cache, tmp_path, systemd, *request.param)


def tunnels(*endpoints: str) -> dict[str, Any]:
    return {"tunnels": [{"endpoint_id": name, "up": True} for name in endpoints]}


OTHER, SAME = [1, 2], [2, 2]
SERVED = ROUTER | tunnels("endpoint_1", "endpoint_2")


@pytest.mark.parametrize("device", [("routing_server", OTHER)], indirect=True)
def test_a_router_is_not_drained_and_tunnels_are_not_asked_of_it(device: Device) -> None:
    device.says(SERVED, ROUTER | tunnels() | {"figures": {"drops": {"version": 90000}}})
    device.roll_out()
    assert (device.current(), device.asked()) == ("new", [])


@pytest.mark.parametrize("device", [("routing_server", SAME)], indirect=True)
def test_by_the_same_protocol_it_is_drained_and_has_to_have_them(device: Device) -> None:
    device.says(SERVED, ROUTER | tunnels())
    said = device.refused()
    assert "its tunnels with endpoint_1, endpoint_2 are not up again" in said
    assert device.asked() == ["drain", "undrain"]


@pytest.mark.parametrize("device", [("routing_server", OTHER)], indirect=True)
def test_a_router_has_to_bring_packets_on_all_the_same(device: Device) -> None:
    device.says(SERVED, ROUTER | tunnels() | {"passes": {"IPv4": "shut"}})
    said = device.refused()
    assert said.startswith("here runs old again, as the change to new failed: routing_server does")
    assert "no IPv4 packet is known to get from tunnels to its egress and back" in said
    assert device.current() == "old"


@pytest.mark.parametrize("device", [("network_access_endpoint", OTHER)], indirect=True)
def test_an_endpoint_has_to_have_an_active_tunnel_although_it_had_none(device: Device) -> None:
    device.says({"tunnels": []}, {"tunnels": [TUNNEL | {"active": False}]})
    said = device.refused()
    assert "none of its tunnels is active by the other tunnel protocol" in said
    assert device.current() == "old"
    device.says({"tunnels": []}, {"tunnels": [TUNNEL]})
    device.roll_out()
    assert device.current() == "new"


@pytest.mark.parametrize("device", [("network_access_endpoint", OTHER)], indirect=True)
def test_an_endpoint_that_goes_back_does_so_before_its_routers(device: Device) -> None:
    device.variables["_common_goes_back"] = True
    device.says({"tunnels": [TUNNEL]}, {"tunnels": [TUNNEL | {"up": False, "active": False}]})
    device.roll_out()
    assert device.current() == "new"
