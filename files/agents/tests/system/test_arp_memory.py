"""What was set before is known until it is put back, by a later process too."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nrs.system import interface_settings
from nrs.system.arp import own_answers
from nrs.system.arp_memory import FILE_NAME, ArpMemory

SETTINGS = own_answers("up.0", 3)


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As /proc/sys/net/ipv4/conf."""
    for name in ("all", "up.0"):
        (tmp_path / name).mkdir()
        for setting in SETTINGS:
            (tmp_path / name / setting.key).write_text("0\n", encoding="ascii")
    monkeypatch.setattr(interface_settings, "_ROOT", tmp_path)
    return tmp_path


def change(conf: Path, name: str, key: str, value: int) -> None:
    (conf / name / key).write_text(f"{value}\n", encoding="ascii")


def arranged(conf: Path, memory: ArpMemory) -> None:
    memory.note(SETTINGS)
    for setting in SETTINGS:
        change(conf, setting.interface, setting.key, setting.least)


def values(conf: Path) -> list[int]:
    return [int((conf / "up.0" / setting.key).read_text()) for setting in SETTINGS]


def test_a_later_process_puts_back_what_was(conf: Path) -> None:
    change(conf, "up.0", "arp_announce", 1)
    arranged(conf, ArpMemory(conf))
    arranged(conf, ArpMemory(conf))  # knows that these values are its own
    said = ArpMemory(conf).restore(lambda *what: change(conf, *what))
    assert values(conf) == [0, 1]
    assert said == ["arp_ignore of up.0 is 0 again", "arp_announce of up.0 is 1 again"]
    assert not (conf / FILE_NAME).exists()
    assert ArpMemory(conf).restore(lambda *what: change(conf, *what)) == []


def test_what_somebody_else_has_changed_stays(conf: Path) -> None:
    memory = ArpMemory(conf)
    arranged(conf, memory)
    change(conf, "up.0", "arp_ignore", 8)
    memory.restore(lambda *what: change(conf, *what))
    assert values(conf) == [8, 0]


def test_what_is_still_wanted_is_kept(conf: Path) -> None:
    memory = ArpMemory(conf)
    arranged(conf, memory)
    memory.restore(lambda *what: change(conf, *what), SETTINGS[:1])
    assert values(conf) == [1, 0]


def test_a_damaged_file_and_one_that_cannot_be_written_are_told(
    conf: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (conf / FILE_NAME).write_text("[[1]]", encoding="ascii")
    ArpMemory(conf)
    (conf / "file").write_text("", encoding="ascii")
    with caplog.at_level(logging.WARNING):
        memory = ArpMemory(conf / "file" / "below")
        arranged(conf, memory)
    assert "what ARP settings were before is not known" in caplog.text
    assert "a restart will not know ARP settings" in caplog.text
    memory.restore(lambda *what: change(conf, *what))
    assert values(conf) == [0, 0]


def test_the_larger_of_two_is_in_force(conf: Path) -> None:
    change(conf, "all", "arp_ignore", 1)
    assert interface_settings.in_force("up.0", "arp_ignore") == 1
    assert interface_settings.in_force("gone", "arp_announce") == 0
