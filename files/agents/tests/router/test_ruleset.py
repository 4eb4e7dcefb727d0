from __future__ import annotations

import ipaddress
import threading
from typing import Any

import pytest
from testbed.wait import wait_until

from nrs.router.ruleset import Ruleset, Wanted
from nrs.system import nft_guard, nftables
from nrs.system.nft_guard import Guard
from nrs.system.nftables import NftablesError, Refused, nat_ruleset

SERVING = Wanted("tun0", "eth1", (51820,))
DRAINED = Wanted("tun0", "eth1", (51820,), rejecting=True)
OPENED = Wanted("tun0", "eth1", (51820,), Guard(client_to_client=True))


class Nft:
    """Stands in for nft: remembers what is in force, and waits or fails when told to."""

    def __init__(self) -> None:
        self.installed: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.error: str | None = None
        self.lacks: str | None = None
        """What this kernel does not know."""
        self.commands: list[dict[str, Any]] = []

    def install(self, commands: list[dict[str, Any]], *, anew: bool) -> nftables.Content:
        assert self.go.wait(10)
        assert anew or self.installed
        if self.error is not None:
            raise NftablesError(self.error)
        if self.lacks is not None and self.lacks in str(commands):
            raise Refused(f"nft refused the rules: {self.lacks}")
        self.commands = commands
        self.installed.append("rejecting" if "admin-prohibited" in str(commands) else "serving")
        return {}

    def remove(self) -> None:
        self.installed.append("removed")


@pytest.fixture
def nft(monkeypatch: pytest.MonkeyPatch) -> Nft:
    one = Nft()
    monkeypatch.setattr(nftables, "install", one.install)
    monkeypatch.setattr(nftables, "remove", one.remove)
    return one


def test_what_is_in_force_already_is_not_made_again(nft: Nft) -> None:
    ruleset = Ruleset()
    ruleset.apply()
    for wanted in (SERVING, SERVING, DRAINED, DRAINED, SERVING):
        ruleset.want(wanted)
        ruleset.apply()
    assert nft.installed == ["serving", "rejecting", "serving"]


def test_what_is_opened_makes_other_rules(nft: Nft) -> None:
    ruleset = Ruleset()
    for wanted in (SERVING, OPENED):
        ruleset.want(wanted)
        ruleset.apply()
    assert nft.installed == ["serving", "serving"]


def test_beside_the_loop_nobody_waits_and_the_last_wish_counts(nft: Nft) -> None:
    ruleset = Ruleset()
    nft.go.clear()
    ruleset.want(DRAINED)
    ruleset.apply_beside()
    ruleset.want(SERVING)  # an undrain while nft still works on the deadline's rules
    ruleset.apply_beside()
    assert nft.installed == []
    nft.go.set()
    ruleset.apply()
    assert nft.installed[-1] == "serving"


def test_what_failed_is_tried_again_and_said_once(
    nft: Nft, caplog: pytest.LogCaptureFixture
) -> None:
    ruleset = Ruleset()
    ruleset.want(DRAINED)
    nft.error = "nft refused the rules"

    def applied() -> bool:
        ruleset.apply_beside()
        return nft.installed == ["rejecting"]

    for _ in range(5):
        assert not applied()
        assert ruleset._thread is not None
        ruleset._thread.join(10)
    assert caplog.messages == ["nft refused the rules"]
    nft.error = None
    wait_until(applied, 10, "it is tried again")


def test_a_table_that_is_removed_stays_removed(nft: Nft) -> None:
    ruleset = Ruleset()
    ruleset.want(SERVING)
    ruleset.apply()
    ruleset.remove()
    ruleset.apply()
    ruleset.apply_beside()
    assert nft.installed == ["serving", "removed"]


def test_rejections_come_before_anything_else_that_is_forwarded() -> None:
    def kind(rule: str) -> str:
        for word in ("maxseg", "counter"):
            if word in rule:
                return word
        return "begun elsewhere" if "'ct'" in rule else "all"

    def forwarded(rejecting: bool) -> list[str]:
        commands = nat_ruleset("tun0", "eth1", tunnel_ports=[51820], rejecting=rejecting)
        rules = [c["add"]["rule"] for c in commands if "rule" in c.get("add", {})]
        return [kind(str(rule["expr"])) for rule in rules if rule["chain"] == "forward"]

    assert forwarded(False) == ["begun elsewhere", *["counter"] * 2, *["maxseg"] * 2]
    assert forwarded(True) == ["all"] * 4 + forwarded(False)


def test_what_is_behind_endpoints_is_neither_masqueraded_nor_reset() -> None:
    def sources(*networks: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {"postrouting": [], "forward": []}
        given = map(ipaddress.ip_network, networks)
        for command in nat_ruleset("tun0", "eth1", tunnel_ports=[51820], unmasqueraded=given):
            rule = command.get("add", {}).get("rule")
            text = str(rule)
            if rule is not None and ("masquerade" in text or "tcp reset" in text):
                found[rule["chain"]].append(str(rule["expr"][2]["match"]))
        return found

    four, six = sources("192.168.0.0/17", "192.168.128.0/17", "172.16.0.0/12")["forward"]
    assert "'ip'" in four
    assert "'192.168.0.0', 'len': 16" in four
    assert "'172.16.0.0', 'len': 12" in four
    assert "'nfproto'" in six
    both = sources("192.168.7.0/24", "fd00:7::/64")
    assert ["'ip'" in both["forward"][0], "'ip6'" in both["forward"][1]] == [True, True]
    assert set(both["forward"]) == set(both["postrouting"])


def test_udp_is_masqueraded_by_ranges_of_its_source_port_and_the_rest_as_it_is() -> None:
    commands = nat_ruleset("tun0", "eth1", tunnel_ports=[51820, 443])
    rules = [c["add"]["rule"]["expr"][2:] for c in commands if "masquerade" in str(c)]

    def ports(*ranges: tuple[int, int] | int) -> list[object]:
        return [one if isinstance(one, int) else {"range": list(one)} for one in ranges]

    def masquerading(into: tuple[int, int], *given: tuple[int, int] | int) -> list[object]:
        left = {"payload": {"protocol": "udp", "field": "sport"}}
        match = {"op": "==", "left": left, "right": {"set": ports(*given)}}
        return [{"match": match}, {"masquerade": {"port": {"range": list(into)}}}]

    kept = [(1, 442), (444, 511), (512, 1023), (1024, 51819), (51821, 65535)]
    assert rules == [
        *(masquerading(one, one) for one in kept),
        masquerading((1024, 51819), 0, 443, 51820),
        [{"masquerade": None}],
    ]


def test_a_kernel_that_lacks_what_keeps_tunnels_untracked_has_the_rest(
    nft: Nft, caplog: pytest.LogCaptureFixture
) -> None:
    ruleset = Ruleset()
    nft.lacks = "fib"
    for wanted in (SERVING, DRAINED, SERVING):
        ruleset.want(wanted)
        ruleset.apply()
    assert nft.installed == ["serving", "rejecting", "serving"]
    assert "masquerade" in str(nft.commands)
    assert "notrack" not in str(nft.commands)
    assert caplog.messages == [
        "tunnels' own datagrams are in connection tracking: nft refused the rules: fib"
    ]
    nft.lacks = "masquerade"
    with pytest.raises(Refused, match="masquerade"):
        ruleset.apply_again()


def test_what_is_looked_for_is_what_the_kernel_has_taken(
    nft: Nft, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_for: list[list[dict[str, Any]]] = []

    def is_installed(commands: list[dict[str, Any]], _installed: nftables.Content) -> bool:
        looked_for.append(commands)
        return True

    monkeypatch.setattr(nftables, "is_installed", is_installed)
    for nft.lacks in (None, "fib"):
        ruleset = Ruleset()
        ruleset.want(SERVING)
        ruleset.apply()
        assert ruleset.is_in_place()
        assert looked_for[-1] == nft.commands
    assert ["notrack" in str(commands) for commands in looked_for] == [True, False]


def test_a_chain_without_rules_is_not_hooked() -> None:
    def chains(*protected: str) -> list[str]:
        networks = tuple(map(ipaddress.ip_network, protected))
        commands = nft_guard.ruleset("t", "tun0", "eth1", Guard(networks))
        hooked = [c["add"].get("chain", {}) for c in commands if "add" in c]
        return [chain["name"] for chain in hooked if "hook" in chain]

    assert chains() == ["guard_input", "guard_forward"]
    assert chains("203.0.113.0/24") == ["guard_prerouting", "guard_input", "guard_forward"]
