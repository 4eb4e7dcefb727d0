# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel parameters as sysctl takes them."""

from __future__ import annotations

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.kernel_assignments import (
    kernel_assignments,
)

PARAMETERS = {"net/core/rmem_max": 26214400, "net/ipv4/ip_forward": "1", "kernel/none": 0}


def test_those_that_can_be_set_in_their_order() -> None:
    found = kernel_assignments(PARAMETERS, ["net/ipv4/ip_forward", "net/core/rmem_max"])
    assert found == ["net/ipv4/ip_forward=1", "net/core/rmem_max=26214400"]


def test_none_can_be_set() -> None:
    assert kernel_assignments(PARAMETERS, []) == []


def test_one_that_nobody_wants() -> None:
    with pytest.raises(KeyError):
        kernel_assignments(PARAMETERS, ["vm/swappiness"])
