"""What of a host's network an agent may change, as text that can be compared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Stateless, sorted, and without what changes by itself.
_SCRIPT = r"""
{ ip -o address; ip -4 rule; ip -6 rule; ip -4 route show table all; ip -6 route show table all;
  nft --stateless list ruleset
  sysctl --all 2>/dev/null | grep '^net\.' | grep -v 'nf_conntrack_count\|nf_conntrack_generic'
} | sed 's/ *valid_lft.*//' | sort
"""


def dump(lab: Any, host: str) -> list[str]:
    """The host's addresses, rules, routes, nftables and kernel parameters, a line each."""
    lines: list[str] = lab.exec(host, "sh", "-c", _SCRIPT).splitlines()
    return lines


def dumps(lab: Any) -> dict[str, list[str]]:
    """The same of every host that gets an agent."""
    hosts = [host for host, _ in lab.UNITS]
    with ThreadPoolExecutor() as pool:
        return dict(zip(hosts, pool.map(lambda host: dump(lab, host), hosts), strict=True))


def changed(before: list[str], after: list[str]) -> list[str]:
    """Lines that have gone or come; a parameter that only a loaded module has brought is none."""
    gone = [f"- {line}" for line in before if line not in after]
    named = {line.partition(" = ")[0] for line in before}
    come = [
        f"+ {line}"
        for line in after
        if line not in before
        and not (line.startswith("net.netfilter.") and line.partition(" = ")[0] not in named)
    ]
    return gone + come
