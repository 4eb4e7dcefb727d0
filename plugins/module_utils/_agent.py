# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it takes to have an agent run with what is on the disk, and whether it does."""

from __future__ import annotations

import dataclasses
from typing import Any

RUNS = ("active", "reloading")
"""What ActiveState says of an agent that is ready."""
_ENDED = ("inactive", "failed")
_AFTER_A_CRASH_S = 20.0
"""For how long an agent that systemd had to start again has to run."""
_MISSED_SHARE = 10
"""One tunnel in so many may go for reasons of its own while an agent restarts."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """A unit as systemd has it, and the status by its agent."""

    state: str
    """systemd's ActiveState."""
    restarts: int
    """How often systemd has started it again by itself."""
    age: float
    """Seconds since the process was started."""
    enabled: bool
    written: str
    """The stamp in the unit's file."""
    loaded: str
    """That of the unit that the process was started by."""
    status: dict[str, Any] | None
    """None: no answer."""

    @property
    def runs(self) -> bool:
        return self.state in RUNS

    @property
    def loops(self) -> bool:
        """Whether systemd starts it over and over."""
        return self.state not in (*RUNS, *_ENDED) and self.restarts > 0

    @property
    def stale(self) -> list[str]:
        """Files that the agent does not go by."""
        return list((self.status or {}).get("files_not_in_force", []))

    @property
    def peers(self) -> set[str]:
        """Whom it has tunnels with that are up."""
        tunnels = (self.status or {}).get("tunnels", [])
        return {t.get("endpoint_id") or t["router_id"] for t in tunnels if t.get("up")}


@dataclasses.dataclass(frozen=True)
class Step:
    """What systemd is to do with the unit, and why."""

    verb: str
    """`start`, `restart` or `reload`."""
    why: str


def step(seen: Seen, release: str) -> Step | None:
    """The step to take; None where all that is on the disk is in force, or soon will be."""
    if seen.state in _ENDED:
        return Step("start", "it does not run")
    if seen.loaded != seen.written:
        return Step("restart", "its unit has changed")
    if seen.loops:
        # For what is on the disk it may have no more reason to.
        return Step("restart", "systemd starts it over and over")
    if seen.status is None:
        return None
    running = seen.status.get("release")
    if running != release:
        return Step("restart", "it runs release %s" % running)
    if seen.stale:
        return Step("reload", "it does not go by %s" % ", ".join(seen.stale))
    return None


def expected(before: Seen, taken: Step | None) -> set[str]:
    """Whose tunnels have to come back: nobody's where the files may have shut them out."""
    known = "files_not_in_force" in (before.status or {}) and not before.stale
    return before.peers if known and taken and taken.verb == "restart" else set()


def settling(before: Seen, settle: float) -> float:
    """Seconds that it has to run. A start resets systemd's count of those before it."""
    return max(settle, _AFTER_A_CRASH_S) if before.loops else settle


def failure(seen: Seen, since: Seen) -> str | None:
    """Why it cannot be waited for any longer, if it cannot."""
    if seen.state in _ENDED:
        return "it has ended (%s)" % seen.state
    if seen.restarts > since.restarts:
        return "it crashes: systemd has started it %d times again" % seen.restarts
    return None


def lack(seen: Seen, release: str, peers: set[str], settle: float) -> str | None:
    """What it still lacks to be seen as working, if anything."""
    if not seen.runs:
        return "it is not ready (%s)" % seen.state
    if seen.status is None:
        return "it does not answer on its control socket"
    if seen.loaded != seen.written:
        return "it runs by an earlier unit"
    if seen.status.get("release") != release:
        return "it runs release %s, not %s" % (seen.status.get("release"), release)
    if seen.stale:
        return "it does not go by %s" % ", ".join(seen.stale)
    missed = sorted(peers - seen.peers)
    if len(missed) > len(peers) // _MISSED_SHARE:
        return "its tunnels with %s are not up again" % ", ".join(missed)
    needed = max(settle, _AFTER_A_CRASH_S) if seen.restarts else settle
    if seen.age < needed:
        return "it has run for %d s, and was started %d times again" % (seen.age, seen.restarts)
    return None
