from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from nrs.config.tun_addresses import Families
from nrs.router.ruleset import Ruleset
from nrs.system import forwarding
from nrs.system.host_keeper import HostKeeper

IPV4 = Path("/proc/sys/net/ipv4/ip_forward")


class Host:
    """Stands in for sysctls: which are off, and whether they may be changed."""

    def __init__(self) -> None:
        self.off: set[Path] = set()
        self.may = True
        self.asked = 0
        self.turned_on: list[Path] = []

    def those_off(self, _: Iterable[str], __: Families) -> list[Path]:
        return sorted(self.off)

    def turn_on(self, path: Path) -> None:
        if not self.may:
            raise OSError(30, "Read-only file system")
        self.off.discard(path)

    def ask_root(self) -> None:
        self.asked += 1


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    one = Host()
    monkeypatch.setattr(forwarding, "those_off", one.those_off)
    monkeypatch.setattr(forwarding, "turn_on", one.turn_on)
    return one


@pytest.fixture
def keeper(host: Host) -> Iterator[HostKeeper]:
    """Of a table that nobody wants, which counts as in place."""
    made = HostKeeper(Ruleset(), ("lo", "lo"), host.ask_root, host.turned_on.append)
    yield made
    made.close()


def test_what_is_taken_is_put_back_and_counted(
    host: Host, keeper: HostKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    keeper.check(0.0)
    host.off = {IPV4}
    keeper.check(1.0)
    assert (host.off, keeper.upkeep()["put_back"], keeper.problems) == (set(), 1, [])
    assert caplog.messages == ["somebody else has turned net.ipv4.ip_forward off: put back"]


def test_what_the_agent_may_not_do_root_is_asked_for_once(host: Host, keeper: HostKeeper) -> None:
    host.may = False
    keeper.check(0.0)
    host.off = {IPV4}
    for second in (1.0, 2.0, 3.0):
        keeper.check(second)
        assert [what for what, _ in keeper.problems] == [
            "net.ipv4.ip_forward is not as it has to be"
        ]
    assert (host.asked, keeper.upkeep()["put_back"]) == (1, 0)
    host.off = set()
    keeper.check(4.0)
    assert (keeper.upkeep()["put_back"], keeper.problems) == (1, [])
    host.off = {IPV4}
    keeper.check(5.0)
    assert host.asked == 2


def test_where_nobody_helps_it_is_told_once_and_stays_a_problem(
    host: Host, keeper: HostKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    host.may, host.off = False, {IPV4}
    for second in range(20):
        keeper.check(float(second))
    (told,) = [text for text in caplog.messages if "cannot be put in place" in text]
    assert told.endswith("sysctl net.ipv4.ip_forward=1 (Read-only file system)")
    assert keeper.problems


def test_what_was_off_before_is_told_and_what_somebody_takes_is_not(
    host: Host, keeper: HostKeeper
) -> None:
    of_interface = Path("/proc/sys/net/ipv4/conf/lo/forwarding")
    host.off = {of_interface}
    keeper.check(0.0)
    assert (host.off, host.turned_on) == (set(), [of_interface])
    host.off = {of_interface, IPV4}
    keeper.check(1.0)
    assert (host.off, host.turned_on) == (set(), [of_interface])
    keeper.configure(("all",))
    keeper.check(2.0)
    keeper.configure(("lo",))
    host.off = {of_interface}
    keeper.check(3.0)
    assert host.turned_on == [of_interface, of_interface], "it has come anew"
