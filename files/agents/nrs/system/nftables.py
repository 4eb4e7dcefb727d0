"""The routing server's own nftables table: NAT towards the egress, MSS clamping.

Programmed through `nft -j` in one transaction; nothing outside the table is touched.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

TABLE = "nrs_routing_server"
_FAMILY = "inet"
_TIMEOUT_S = 10

_IS_TCP = {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}}
_RESET = {"reject": {"type": "tcp reset"}}
_BEGUN_ELSEWHERE: list[dict[str, Any]] = [
    {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}},
    {
        "match": {
            "op": "==",
            "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, "syn"]},
            "right": 0,
        }
    },
]
"""A connection that connection tracking meets with another packet than its first."""


class NftablesError(Exception):
    """nft is missing or refused; the text says why."""


def nat_ruleset(
    tunnel_interface: str, egress_interface: str, *, rejecting: bool = False
) -> list[dict[str, Any]]:
    """Commands that make the table anew: masquerade both families, clamp the MSS both ways.

    A TCP connection that began elsewhere is answered with a reset: masquerading it would give
    it another address, which no server takes, and many firewalls drop without a word.

    `rejecting`: whatever would be forwarded out of a tunnel or into one is answered instead,
    TCP with a reset, the rest with ICMP unreachable.
    """
    table = {"family": _FAMILY, "name": TABLE}

    def chain(name: str, kind: str, hook: str, priority: int) -> dict[str, Any]:
        return {
            "add": {
                "chain": {
                    "family": _FAMILY,
                    "table": TABLE,
                    "name": name,
                    "type": kind,
                    "hook": hook,
                    "prio": priority,
                    "policy": "accept",
                }
            }
        }

    def rule(name: str, expression: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "add": {"rule": {"family": _FAMILY, "table": TABLE, "chain": name, "expr": expression}}
        }

    clamp: list[dict[str, Any]] = [
        {
            "match": {
                "op": "==",
                "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["syn", "rst"]]},
                "right": "syn",
            }
        },
        {
            "mangle": {
                "key": {"tcp option": {"name": "maxseg", "field": "size"}},
                "value": {"rt": {"key": "mtu"}},
            }
        },
    ]
    return [
        {"add": {"table": table}},
        {"flush": {"table": table}},
        chain("postrouting", "nat", "postrouting", 100),
        chain("forward", "filter", "forward", -150),
        *(
            rule("forward", answer)
            for answer in (_rejections(tunnel_interface) if rejecting else ())
        ),
        rule(
            "forward",
            [
                _interface("iifname", tunnel_interface),
                _interface("oifname", egress_interface),
                *_BEGUN_ELSEWHERE,
                _RESET,
            ],
        ),
        rule(
            "postrouting",
            [
                _interface("iifname", tunnel_interface),
                _interface("oifname", egress_interface),
                {"masquerade": None},
            ],
        ),
        rule("forward", [_interface("iifname", tunnel_interface), *clamp]),
        rule("forward", [_interface("oifname", tunnel_interface), *clamp]),
    ]


def _rejections(tunnel_interface: str) -> list[list[dict[str, Any]]]:
    """Rules' expressions. A reset towards the egress passes NAT as the packets before it did."""
    return [
        [_interface(key, tunnel_interface), *answer]
        for key in ("iifname", "oifname")
        for answer in (
            [_IS_TCP, _RESET],
            [{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}],
        )
    ]


def _interface(key: str, name: str) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": name}}


def install(commands: list[dict[str, Any]]) -> None:
    """Apply the commands in one transaction. Raises NftablesError."""
    _nft(commands)


def remove() -> None:
    """Remove the table; one that is not there is no error. Raises NftablesError."""
    table = {"table": {"family": _FAMILY, "name": TABLE}}
    _nft([{"add": table}, {"delete": table}])


def _nft(commands: list[dict[str, Any]]) -> None:
    program = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        raise NftablesError("nft is not installed (package nftables)")
    try:
        subprocess.run(
            [program, "-j", "-f", "-"],
            input=json.dumps({"nftables": commands}),
            text=True,
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as error:
        raise NftablesError(f"nft refused the rules: {error.stderr.strip()}") from None
    except subprocess.TimeoutExpired:
        raise NftablesError(f"nft did not answer within {_TIMEOUT_S} s") from None
