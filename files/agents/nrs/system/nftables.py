"""The routing server's own nftables table: NAT towards the egress, MSS clamping, counters.

Programmed through `nft -j` in one transaction; nothing outside the table is touched.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from nrs.config.types import IPNetwork
from nrs.system import source_ports
from nrs.system.nft_sets import by_protocol

TABLE = "nrs_routing_server"
_FAMILY = "inet"
_TIMEOUT_S = 10
ENTERED, LEFT, RETURNED = "entered", "left", "returned"
"""Counters: connections that come out of tunnels to elsewhere, those of them that leave by the
egress, and packets from there into tunnels; of TCP and UDP, by family (`counter_of`)."""
_VERSIONS = {4: "ipv4", 6: "ipv6"}

_IN_TABLE = {"family": _FAMILY, "table": TABLE}
_IS_TCP = {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}}
_IS_TCP_OR_UDP = {
    "match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": {"set": ["tcp", "udp"]}}
}
_IS_NEW = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}
_RESET = {"reject": {"type": "tcp reset"}}
_BEGUN_ELSEWHERE: list[dict[str, Any]] = [
    _IS_NEW,
    {
        "match": {
            "op": "==",
            "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, "syn"]},
            "right": 0,
        }
    },
]
"""A connection that connection tracking meets with another packet than its first."""


def counter_of(name: str, version: int) -> str:
    """The name of a counter's part for IPv4 or IPv6."""
    return f"{name}{version}"


Content = dict[str, list[Any]]
"""What a table does: each chain and then its rules in their order, by the chain's name; by "",
whether the table has flags, as one that is dormant."""


class NftablesError(Exception):
    """nft is missing or refused; the text says why."""


class Refused(NftablesError):
    """nft or the kernel does not take the rules."""


class NotThere(NftablesError):
    """There is no such table."""


def nat_ruleset(
    tunnel_interface: str,
    egress_interface: str,
    *,
    tunnel_ports: Iterable[int],
    rejecting: bool = False,
    unmasqueraded: Iterable[IPNetwork] = (),
) -> list[dict[str, Any]]:
    """Commands that make the table anew: masquerade both families, clamp the MSS both ways.

    A TCP connection that began elsewhere is answered with a reset: masquerading it would give
    it another address, which no server takes, and many firewalls drop without a word.

    Neither happens to what comes from the networks `unmasqueraded`: it keeps its address.

    UDP never gets one of `tunnel_ports` as its source port: answers would come to the tunnels.

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

    def count(chain_name: str, counter: str, *matches: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            rule(
                chain_name,
                [*matches, of(name), _IS_TCP_OR_UDP, {"counter": counter_of(counter, version)}],
            )
            for version, name in _VERSIONS.items()
        ]

    def of(name: str) -> dict[str, Any]:
        return {"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": name}}

    from_tunnel, to_tunnel = (_interface(key, tunnel_interface) for key in ("iifname", "oifname"))
    from_egress, to_egress = (_interface(key, egress_interface) for key in ("iifname", "oifname"))
    others = _sources_beside(unmasqueraded)
    elsewhere = _interface("oifname", tunnel_interface, op="!=")
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
        *(
            {"add": {"counter": {**_IN_TABLE, "name": counter_of(name, version)}}}
            for name in (ENTERED, LEFT, RETURNED)
            for version in _VERSIONS
        ),
        chain("postrouting", "nat", "postrouting", 100),
        chain("forward", "filter", "forward", -150),
        chain("leaving", "filter", "postrouting", 150),
        *(
            rule("forward", answer)
            for answer in (_rejections(tunnel_interface) if rejecting else ())
        ),
        *(
            rule("forward", [from_tunnel, to_egress, *source, *_BEGUN_ELSEWHERE, _RESET])
            for source in others
        ),
        *count("forward", ENTERED, from_tunnel, elsewhere, _IS_NEW),
        # A chain of NAT sees the first packet of a connection only.
        *count("postrouting", LEFT, from_tunnel, to_egress),
        *(
            rule("postrouting", [from_tunnel, to_egress, *source, *masquerade])
            for source in others
            for masquerade in _masquerades(tunnel_ports)
        ),
        rule("forward", [from_tunnel, *clamp]),
        rule("forward", [to_tunnel, *clamp]),
        *count("leaving", RETURNED, to_tunnel, from_egress),
    ]


def _masquerades(tunnel_ports: Iterable[int]) -> list[list[dict[str, Any]]]:
    """Rules' expressions: UDP by ranges of its source port, and what is left."""
    kept = source_ports.kept(tunnel_ports)

    def masquerade(ports: list[tuple[int, int]], into: tuple[int, int]) -> list[dict[str, Any]]:
        port = {"payload": {"protocol": "udp", "field": "sport"}}
        given = {"set": [{"range": list(one)} if one[0] < one[1] else one[0] for one in ports]}
        return [
            {"match": {"op": "==", "left": port, "right": given}},
            {"masquerade": {"port": {"range": list(into)}}},
        ]

    return [
        *(masquerade([one], one) for one in kept),
        masquerade(source_ports.others(kept), source_ports.widest(kept)),
        [{"masquerade": None}],
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


def _sources_beside(networks: Iterable[IPNetwork]) -> list[list[dict[str, Any]]]:
    """Rules' expressions that together match every source outside of `networks`."""
    given = list(networks)
    if not given:
        return [[]]
    families = zip(by_protocol(given).items(), _VERSIONS.values(), strict=True)
    return [
        [_source_beside(protocol, elements, family)] for (protocol, elements), family in families
    ]


def _source_beside(protocol: str, networks: list[dict[str, Any]], family: str) -> dict[str, Any]:
    if not networks:
        return {"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": family}}
    source = {"payload": {"protocol": protocol, "field": "saddr"}}
    return {"match": {"op": "!=", "left": source, "right": {"set": networks}}}


def _interface(key: str, name: str, *, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"meta": {"key": key}}, "right": name}}


def install(commands: list[dict[str, Any]], *, anew: bool) -> Content:
    """Apply the commands in one transaction; the table as it is now. Raises NftablesError.

    `anew`: remove chains of the table that they do not make, of another version or by somebody.
    """
    others: set[str] = set()
    if anew:
        with suppress(NotThere):
            others = _content().keys() - _made(commands).keys()
    _nft([*commands, *({"delete": {"chain": {**_IN_TABLE, "name": name}}} for name in others)])
    return _content()


def is_installed(commands: list[dict[str, Any]], installed: Content) -> bool:
    """Whether the table is as `install` has left it, and has all that the commands make.

    Raises NftablesError.
    """
    try:
        found = _content()
    except NotThere:
        return False
    made = _made(commands)
    return found == installed and {name: len(found.get(name, ())) for name in found} == made


def _made(commands: list[dict[str, Any]]) -> dict[str, int]:
    """How many things the commands make, by chain: itself and its rules."""
    deleted = [command["delete"]["chain"]["name"] for command in commands if "delete" in command]
    made = _by_chain(command["add"] for command in commands if "add" in command)
    return {name: len(things) for name, things in made.items() if name not in deleted}


def _content() -> Content:
    """Raises NotThere, NftablesError."""
    return _by_chain(_list("table", _FAMILY, TABLE))


def _by_chain(things: Iterable[dict[str, Any]]) -> Content:
    found: Content = {"": [False]}
    for thing in things:
        if "table" in thing:
            # What they are called in JSON differs by version; ours has none.
            found[""] = ["flags" in thing["table"]]
        elif "chain" in thing:
            found.setdefault(thing["chain"]["name"], []).append(_lasting(thing["chain"]))
        elif "rule" in thing:
            found[thing["rule"]["chain"]].append(_lasting(thing["rule"]))
    return found


def _lasting(thing: dict[str, Any]) -> dict[str, Any]:
    """Without the number that the kernel gives to it."""
    return {key: value for key, value in thing.items() if key != "handle"}


def counters() -> dict[str, int]:
    """Packets by the name of the counter; nothing without the table. Raises NftablesError."""
    try:
        listed = _list("counters", "table", _FAMILY, TABLE)
    except NotThere:
        return {}
    return {
        one["counter"]["name"]: int(one["counter"]["packets"])
        for one in listed
        if one.get("counter", {}).get("table") == TABLE
    }


def chains_that_drop() -> list[str]:
    """Chains that drop what is forwarded unless a rule of theirs lets it pass.

    Raises NftablesError.
    """
    return [
        f"{chain['family']} {chain['table']} {chain['name']}"
        for one in _list("chains")
        if (chain := one.get("chain", {})).get("hook") == "forward"
        and chain.get("policy") == "drop"
    ]


def remove() -> None:
    """Remove the table; one that is not there is no error. Raises NftablesError."""
    table = {"table": {"family": _FAMILY, "name": TABLE}}
    _nft([{"add": table}, {"delete": table}])


def _list(*what: str) -> list[dict[str, Any]]:
    """Raises NotThere, NftablesError."""
    found: list[dict[str, Any]] = json.loads(_run(["list", *what], ""))["nftables"]
    return found


def _nft(commands: list[dict[str, Any]]) -> None:
    _run(["-f", "-"], json.dumps({"nftables": commands}))


def _run(arguments: list[str], said: str) -> str:
    program = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        raise NftablesError("nft is not installed (package nftables)")
    try:
        return subprocess.run(
            [program, "-j", *arguments],
            input=said,
            text=True,
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_S,
        ).stdout
    except subprocess.CalledProcessError as error:
        text = error.stderr.strip()
        if "No such file or directory" in text and arguments[0] == "list":
            raise NotThere(text) from None
        raise Refused(f"nft refused the rules: {text}") from None
    except subprocess.TimeoutExpired:
        raise NftablesError(f"nft did not answer within {_TIMEOUT_S} s") from None
    except OSError as error:
        raise NftablesError(f"nft cannot be run: {error.strerror}") from None
