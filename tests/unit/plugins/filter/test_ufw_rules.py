# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules that ufw is given."""

from __future__ import annotations

from ansible_collections.nrs.network_routing.plugins.filter.ufw_rules import ufw_rules


def test_a_rule_for_each_source() -> None:
    assert ufw_rules(["192.0.2.0/24", "2001:db8::1"], [8080], "tcp", "ours lb") == [
        "ufw allow from 192.0.2.0/24 to any port 8080 proto tcp comment 'ours lb'",
        "ufw allow from 2001:db8::1 to any port 8080 proto tcp comment 'ours lb'",
    ]


def test_one_source_is_not_everybody() -> None:
    (rule,) = ufw_rules(["192.0.2.1"], [8080], "tcp", "ours")
    assert rule == "ufw allow from 192.0.2.1 to any port 8080 proto tcp comment 'ours'"


def test_everybody() -> None:
    assert ufw_rules([], ["51820"], "udp", "ours") == ["ufw allow 51820/udp comment 'ours'"]


def test_each_port_has_rules_of_its_own() -> None:
    assert ufw_rules([], [51820, 443], "udp", "ours") == [
        "ufw allow 51820/udp comment 'ours'",
        "ufw allow 443/udp comment 'ours'",
    ]
    assert [rule.split()[3:8] for rule in ufw_rules(["192.0.2.1", "::1"], [1, 2], "udp", "x")] == [
        [source, "to", "any", "port", port] for port in "12" for source in ("192.0.2.1", "::1")
    ]
