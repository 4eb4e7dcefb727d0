from __future__ import annotations

from pathlib import Path

import pytest

from nrs.system import network_keeper
from nrs.system.arp_memory import ArpMemory
from nrs.system.network_keeper import NetworkKeeper
from nrs.system.placing import Plan


def test_settings_are_put_back_also_where_routes_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: int) -> int:
        raise OSError(1, "Operation not permitted")

    restored = []
    memory = ArpMemory(tmp_path)
    monkeypatch.setattr(network_keeper, "remove_leftovers", refuse)
    monkeypatch.setattr(memory, "restore", restored.append)
    keeper = NetworkKeeper("lo", (), lambda *_: Plan(), protocol=82, memory=memory)
    try:
        keeper.withdraw()
    finally:
        keeper.close()
    assert len(restored) == 1
    assert caplog.messages == ["cannot remove the routes to lo: Operation not permitted"]
