# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses that are one, however they are written."""

from __future__ import annotations

import pytest
from ansible_collections.nrs.network_routing.plugins.plugin_utils._address import canonical


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("10.10.1.1/16", "10.10.1.1"),
        ("10.10.1.1", "10.10.1.1"),
        ("FD00:10:1:0::1/64", "fd00:10:1::1"),
        ("fd00:0010:0001:0000:0000:0000:0000:0001", "fd00:10:1::1"),
        ("::ffff:192.0.2.1", "::ffff:c000:201"),
        ("Router-1.Example.ORG", "router-1.example.org"),
        ("", ""),
    ],
)
def test_one_spelling(text: str, same: str) -> None:
    assert canonical(text) == canonical(same)
    assert canonical(canonical(text)) == canonical(text)


def test_others_stay_apart() -> None:
    assert len({canonical(text) for text in ("10.0.0.1", "10.0.0.10", "::a00:1", "fd00::1")}) == 4
