from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from testbed.wait import wait_until

from nrs.config.loader import load
from nrs.router.config import RoutingServerConfig
from nrs.router.drain import Phase
from nrs.router.drainer import FILE_NAME, Drainer
from nrs.router.ruleset import Ruleset
from nrs.system import nftables
from nrs.system.nftables import NftablesError
from nrs.tunnel.loop import PacketLoop
from tests.config.test_files import ROUTING_SERVER
from tests.tunnel.fakes import Clock


class Loop:
    """The control thread and the packet loop in one."""

    def wake(self, callback: Callable[[], object]) -> None:
        callback()


class Host:
    """A router's host: its configuration, its state directory, and an nft that may refuse."""

    def __init__(self, directory: Path) -> None:
        file = directory / "routing_server.yaml"
        file.write_text(ROUTING_SERVER, encoding="utf-8")
        self.config = load(file, RoutingServerConfig)
        self.directory = directory
        self.rules: list[str] = []
        self.refuses = False
        self.changes = 0
        self.wall = Clock(1_700_000_000.0)

    def install(self, commands: list[dict[str, Any]], *, anew: bool) -> None:
        if self.refuses:
            raise NftablesError("nft refused the rules")
        self.rules.append("rejecting" if "admin-prohibited" in str(commands) else "serving")

    def changed(self) -> None:
        self.changes += 1

    def drainer(self, directory: Path | None) -> Drainer:
        loop = cast(PacketLoop, Loop())
        return Drainer(self.config, loop, Ruleset(), directory, self.changed, self.wall)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    one = Host(tmp_path)
    monkeypatch.setattr(nftables, "install", one.install)
    return one


def test_a_drain_begins_is_kept_and_ends(host: Host) -> None:
    drainer = host.drainer(host.directory)
    assert (drainer.phase, drainer.left) == (Phase.SERVING, None)
    assert drainer.begin(100)
    assert not drainer.begin(None)
    assert (drainer.phase, drainer.left) == (Phase.DRAINING, 100)
    host.wall.now += 10
    again = host.drainer(host.directory)
    assert (again.phase, again.left) == (Phase.DRAINING, 90)
    assert again.end()
    assert not again.end()
    assert host.drainer(host.directory).phase is Phase.SERVING
    assert host.changes == 2
    assert set(host.rules) == {"serving"}


def test_the_rules_follow_the_deadline_also_over_a_restart(host: Host) -> None:
    drainer = host.drainer(host.directory)
    assert drainer.begin(50)
    drainer.tend()
    assert host.rules == ["serving"]
    host.wall.now += 50

    def rejecting() -> bool:
        drainer.tend()
        return host.rules == ["serving", "rejecting"]

    wait_until(rejecting, 10, "the deadline is over")
    assert (drainer.phase, host.changes) == (Phase.DRAINED, 2)
    drainer.tend()
    assert host.changes == 2
    assert host.drainer(host.directory).phase is Phase.DRAINED
    assert host.rules[2:] == ["rejecting"]
    assert drainer.begin(100)
    assert drainer.phase is Phase.DRAINING
    assert host.rules[3:] == ["serving"]
    assert drainer.begin(0)
    assert drainer.end()
    assert host.rules[4:] == ["rejecting", "serving"]


def test_what_cannot_be_kept_is_not_begun(host: Host) -> None:
    drainer = host.drainer(host.directory)
    (host.directory / FILE_NAME).mkdir()
    with pytest.raises(ValueError, match="cannot be kept"):
        drainer.begin(100)
    assert drainer.phase is Phase.SERVING
    assert host.changes == 0


def test_rules_that_nft_refuses_are_said_and_tried_again(host: Host) -> None:
    drainer = host.drainer(None)
    host.refuses = True
    with pytest.raises(ValueError, match="nft refused"):
        drainer.begin(0)
    assert drainer.phase is Phase.DRAINED
    host.refuses = False

    def rejecting() -> bool:
        drainer.tend()
        return host.rules == ["serving", "rejecting"]

    wait_until(rejecting, 10, "it is tried again")


def test_a_configuration_that_nft_refuses_is_not_taken(host: Host) -> None:
    drainer = host.drainer(None)
    server = host.config.server.model_copy(update={"egress_interface": "eth7"})
    host.refuses = True
    with pytest.raises(NftablesError):
        drainer.configure(host.config.model_copy(update={"server": server}))
    host.refuses = False
    assert drainer.begin(0)
    assert drainer._config is host.config


@pytest.mark.parametrize("text", ["", "{", '{"deadline": "soon"}'])
def test_a_damaged_file_is_said_and_forgotten(
    host: Host, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (host.directory / FILE_NAME).write_text(text, encoding="utf-8")
    assert host.drainer(host.directory).phase is Phase.SERVING
    assert "is forgotten" in caplog.text
