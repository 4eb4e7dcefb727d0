"""Keys and configuration change together, and a refused one changes nothing."""

from __future__ import annotations

import getpass
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from local_host import LocalHost

KEY, OTHER = "k" * 43, "o" * 43
# Takes a file that names a key which is there, and in which the same epoch stands.
COMMAND = f"""#!{sys.executable}
import json, sys
from pathlib import Path
file = json.loads(Path(sys.argv[-1]).read_text())
key = Path(file["psk_file"])
if sys.argv[1:4] != ["check-config", "--unit", "routing_server"] or not key.is_file():
    sys.exit(f"{{key}}: no such file")
if not key.read_text().startswith(file["starts_with"]):
    sys.exit(f"{{key}}: is not that of {{sys.argv[-1]}}")
"""


class Host(LocalHost):
    """That of a router."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        super().__init__(tools, collections, cache, place)
        self.command = place / "nrs"
        self.command.write_text(COMMAND)
        self.command.chmod(0o755)
        self.file, self.psk = self.etc / "routing_server.yaml", self.etc / "psk"
        self.wants("k", psk=KEY, previous_psk="")

    def wants(self, starts_with: str, **secrets: str) -> None:
        """What the task is to write."""
        self.variables |= {
            "text": json.dumps({"psk_file": str(self.psk), "starts_with": starts_with}),
            "secrets": secrets,
        }

    def _play(self) -> Any:
        files = {
            "unit": "routing_server",
            "directory": str(self.etc),
            "user": getpass.getuser(),
            "command": str(self.command),
            # In a list of several words it stays text.
            "configuration": "{{ text | string }}\n",
            "secrets": "{{ secrets }}",
        }
        tasks = [{"nrs.network_routing.agent_files": files}]
        return [{"hosts": "all", "gather_facts": False, "tasks": tasks}]

    def holds(self) -> dict[str, str]:
        """The files, and no others."""
        return {path.name: path.read_text() for path in self.etc.iterdir()}


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> Host:
    return Host(tools, installed, cache, tmp_path)


def test_both_are_written_once_and_shown_to_nobody_else(host: Host) -> None:
    host.deploy("--check", changed=1)
    assert host.holds() == {}
    said = host.deploy("-vvv", "--diff", changed=1)
    assert KEY not in said and '"starts_with": "k"' in said
    assert host.holds() == {
        "psk": KEY + "\n",
        "routing_server.yaml": host.variables["text"] + "\n",
    }
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (host.psk, host.file)]
    assert modes == [0o600, 0o640]
    host.deploy(changed=0)
    host.deploy("--check", changed=0)
    host.psk.chmod(0o644)
    host.deploy(changed=1)
    assert stat.S_IMODE(host.psk.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("starts_with", "secrets"),
    [("o", {"psk": KEY}), ("k", {"psk": OTHER}), ("k", {"psk": ""})],
)
def test_where_one_is_refused_all_stay_as_they_were(
    host: Host, starts_with: str, secrets: dict[str, str]
) -> None:
    host.deploy(changed=1)
    before = host.holds()
    host.wants(starts_with, previous_psk=KEY, **secrets)
    said = host.refused()
    assert said.startswith(f"nothing was changed: {host.psk}: ")
    assert KEY not in said and OTHER not in said
    assert host.holds() == before


def test_a_key_goes_after_what_names_it(host: Host) -> None:
    host.deploy(changed=1)
    (host.etc / "previous_psk").mkdir()
    host.wants("o", psk=OTHER, previous_psk="")
    host.refused()
    assert host.psk.read_text() == OTHER + "\n"
    assert host.file.read_text() == host.variables["text"] + "\n"


def test_a_key_and_what_goes_by_it_are_changed_and_dropped(host: Host) -> None:
    host.deploy(changed=1)
    host.wants("o", psk=OTHER, previous_psk=KEY)
    host.deploy(changed=1)
    assert host.psk.read_text() == OTHER + "\n"
    assert (host.etc / "previous_psk").read_text() == KEY + "\n"
    host.wants("o", psk=OTHER, previous_psk="")
    host.deploy(changed=1)
    assert set(host.holds()) == {"psk", "routing_server.yaml"}
    host.deploy(changed=0)
