"""Whether the role takes firewall rules for those in force, by nftables in a namespace."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

TASKS = Path(__file__).resolve().parents[2] / "roles" / "common" / "tasks" / "firewall_nftables.yml"
UNIT, STAMP = "routing_server", "0a" * 32
RULES = [
    f'{family} saddr {{ {sources} }} udp dport 51820 accept comment "{STAMP}";'
    for family, sources in (
        ("ip", ", ".join(f"192.0.2.{last}" for last in range(1, 40, 2))),
        ("ip6", "2001:db8::/64"),
    )
]
CHAIN = f"chain nrs_{UNIT} {{ {' '.join(RULES)} }}"
JUMP = f"jump nrs_{UNIT}"


def in_force(chain: str, jump: str) -> bool:
    """What the role's command says where these are loaded."""
    (task,) = [
        task for task in yaml.safe_load(TASKS.read_text()) if "in force" in task.get("name", "")
    ]
    words = {
        "{{ _common_unit }}": UNIT,
        "{{ _common_firewall_stamp }}": STAMP,
        "{{ _common_firewall_rules | regex_findall(' accept comment ') | length }}": "2",
    }
    argv = [words.get(word, word) for word in task["ansible.builtin.command"]["argv"]]
    base = "type filter hook input priority 0; policy drop;"
    rules = f"table inet filter {{\n{chain}\nchain input {{ {base} {jump}; }}\n}}"
    script = 'PATH=$PATH:/usr/sbin; nft "$0" && exec "$@"'
    command = ["unshare", "--net", "sh", "-c", script, rules, *argv]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "syntax error" not in ended.stderr, ended.stderr
    return ended.returncode == 0


def test_those_that_are_wanted_are_in_force() -> None:
    assert in_force(CHAIN, JUMP)


@pytest.mark.parametrize(
    ("chain", "jump"),
    [
        (CHAIN.replace("0a", "0b"), JUMP),
        (f"chain nrs_{UNIT} {{ }}", JUMP),
        (f"chain nrs_{UNIT} {{ {RULES[0]} }}", JUMP),
        (f"chain nrs_{UNIT} {{ {RULES[1]} }}", JUMP),
        (CHAIN, "accept"),
        (f"{CHAIN}\nchain nrs_{UNIT}_2 {{ }}", f"{JUMP}_2"),
        ("", "accept"),
    ],
    ids=[
        "others",
        "none",
        "no IPv6",
        "no IPv4",
        "nobody gets there",
        "others get there",
        "no chain",
    ],
)
def test_others_are_not(chain: str, jump: str) -> None:
    assert not in_force(chain, jump)
