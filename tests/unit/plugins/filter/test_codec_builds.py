# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is said to have which codec."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.codec_builds import codec_builds

HELD = "1.0.0 0123abcd 3.11-x86_64"


def looked_at(python: str, machine: str = "x86_64", release: str = "") -> dict[str, Any]:
    said = json.dumps({"python": python, "machine": machine, "release": release})
    return {"__common_probe": {"stdout": said}}


def release(codec: str, lack: str = "", stamp: str = HELD, refused: str = "") -> dict[str, Any]:
    return {"codec": codec, "lack": lack, "stamp": stamp, "refused": refused}


def test_hosts_that_are_alike_share_a_line() -> None:
    hostvars = {f"router_{number}": looked_at("3.11") for number in range(7)}
    hostvars["endpoint_9"] = looked_at("3.12", "aarch64")
    releases = {
        "3.11-x86_64 keep": release("c"),
        "3.12-aarch64 keep": release(
            "python", "the hosts are aarch64, this control node is x86_64"
        ),
    }
    assert codec_builds(hostvars, list(hostvars), releases) == [
        "The codec in C for 3.11-x86_64: router_0, router_1, router_2, router_3, router_4, 2 more.",
        "The codec in Python, which carries about a third as much, for 3.12-aarch64: endpoint_9;"
        " in C: the hosts are aarch64, this control node is x86_64.",
    ]


def test_wheels_for_hosts_that_nobody_has_looked_at() -> None:
    releases = {"3.11-x86_64 keep": release("python", "no C compiler here")}
    (line,) = codec_builds({"localhost": {}}, ["localhost"], releases)
    assert line.endswith("for 3.11-x86_64: any host; in C: no C compiler here.")


@pytest.mark.parametrize(
    ("kind", "found", "said"),
    [
        (f"keep {HELD}", release("c", "no C compiler here"), "C for 3.11-x86_64: a; it is not bui"),
        ("python", release("python"), "for 3.11-x86_64: a; as nrs_codec says."),
        ("keep", release("python"), "or at once, with a restart, by nrs_codec: c."),
        (
            "keep 1.0.0 0 3.9-x86_64",
            release("c", "none", "1.0.0 0 3.9-x86_64", "it would"),
            "C for 3.9-x86_64: a; it is not built here: none.",
        ),
    ],
)
def test_what_the_other_one_takes(kind: str, found: dict[str, Any], said: str) -> None:
    wish, held = [*kind.split(" ", 1), ""][:2]
    host = looked_at("3.11", release=held) | {"nrs_codec": wish}
    (line,) = codec_builds({"a": host}, ["a"], {f"3.11-x86_64 {kind}": found})
    assert said in line
