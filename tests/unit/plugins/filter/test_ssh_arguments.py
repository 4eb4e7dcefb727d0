# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ssh is given beside the operator's own arguments."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.filter.ssh_arguments import ssh_arguments

KEEPALIVES = "-o ServerAliveInterval=5 -o ServerAliveCountMax=4"


@pytest.mark.parametrize("program", ["ssh", "sftp", "scp"])
@pytest.mark.parametrize(("set_to", "first"), [("-o Port=2222", "-o Port=2222 "), (None, "")])
def test_what_is_configured_comes_first(
    monkeypatch: pytest.MonkeyPatch, program: str, set_to: str | None, first: str
) -> None:
    variable = f"ANSIBLE_{program.upper()}_EXTRA_ARGS"
    monkeypatch.delenv(variable, raising=False)
    if set_to:
        monkeypatch.setenv(variable, set_to)
    assert ssh_arguments(None, program) == first + KEEPALIVES


@pytest.mark.parametrize(
    ("given", "first"), [("-o ProxyJump=gate", "-o ProxyJump=gate "), ("", "")]
)
def test_what_the_inventory_says_stands_in_for_it(
    monkeypatch: pytest.MonkeyPatch, given: str, first: str
) -> None:
    monkeypatch.setenv("ANSIBLE_SSH_EXTRA_ARGS", "-o Port=2222")
    assert ssh_arguments(given, "ssh") == first + KEEPALIVES


def test_another_program_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="must be ssh, sftp or scp: 'rsync'"):
        ssh_arguments(None, "rsync")
