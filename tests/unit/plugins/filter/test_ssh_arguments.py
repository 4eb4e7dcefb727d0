# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ssh is given beside the operator's own arguments."""

from __future__ import annotations

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.ssh_arguments import ssh_arguments

KEEPALIVES = "-o ServerAliveInterval=5 -o ServerAliveCountMax=4"


def test_what_the_inventory_says_comes_first() -> None:
    assert ssh_arguments("-o ProxyJump=gate") == f"-o ProxyJump=gate {KEEPALIVES}"


@pytest.mark.parametrize(("set_to", "first"), [("-o Port=2222", "-o Port=2222 "), (None, "")])
def test_without_it_what_is_configured_does(
    monkeypatch: pytest.MonkeyPatch, set_to: str | None, first: str
) -> None:
    monkeypatch.delenv("ANSIBLE_SSH_COMMON_ARGS", raising=False)
    if set_to:
        monkeypatch.setenv("ANSIBLE_SSH_COMMON_ARGS", set_to)
    assert ssh_arguments(None) == first + KEEPALIVES


def test_an_empty_value_is_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_SSH_COMMON_ARGS", "-o Port=2222")
    assert ssh_arguments("") == KEEPALIVES
