# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which build of the agents a host is to have, by what it has and what can be built. Pure.

The codec in C is kept, and nobody is restarted for it by a control node that merely has, or
lacks, what it takes to build it.
"""

from __future__ import annotations

import dataclasses

C, PYTHON, KEEP = "c", "python", "keep"
"""The codecs, and the wish to leave it to what a host has."""
_WITHOUT_C = "-python"
"""Ends the build's name in the stamp of a release whose codec is in Python."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """Hosts that are alike, such as `3.11-x86_64 keep 1.0.0 0123abcd 3.11-x86_64`."""

    target: str
    """Interpreter and processor."""
    wish: str = KEEP
    release: str = ""
    """The stamp of what is installed, if anything is."""

    @classmethod
    def parse(cls, text: str) -> Kind:
        """Of what stands above; all but the target may be left out."""
        return cls(*text.split(" ", 2))

    @property
    def codec(self) -> str:
        """That of what is installed; empty where nothing is."""
        words = self.release.split()
        if len(words) != 3:
            return ""
        return PYTHON if words[1].endswith(_WITHOUT_C) else C


@dataclasses.dataclass(frozen=True)
class Choice:
    """The release for a kind of host."""

    stamp: str
    codec: str
    refused: str = ""
    """Why it must not be installed: the host would lose its codec, or not get what is wished."""


def stamp(version: str, build: str, codec: str, target: str) -> str:
    """What a release is told by: one of sources named `build`, with that codec, for `target`."""
    return f"{version} {build}{_WITHOUT_C if codec == PYTHON else ''} {target}"


def choose(kind: Kind, version: str, build: str, lack: str) -> Choice:
    """The release of these sources; `lack` is why the codec cannot be built in C, if so."""
    of = {codec: stamp(version, build, codec, kind.target) for codec in (C, PYTHON)}
    if kind.wish == PYTHON:
        return Choice(of[PYTHON], PYTHON)
    if kind.release == of[C] or (kind.wish == KEEP and kind.release == of[PYTHON]):
        return Choice(kind.release, kind.codec)
    if not lack:
        return Choice(of[C], C)
    if kind.wish == C:
        return Choice(kind.release, kind.codec, f"nrs_codec is c, and {lack}")
    if kind.codec == C:
        return Choice(kind.release, C, f"it has the codec in C ({kind.release}), and {lack}")
    return Choice(of[PYTHON], PYTHON)
