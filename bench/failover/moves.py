"""Planned moves: traffic that leaves a router which could go on."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from bench.failover.balancer import Balancer
from bench.failover.rig import ROUTER_UNIT, Rig
from testbed.failed import Failed

_DEADLINE_S = 300
_RELEASES = "/opt/network-routing-system"


class Missing(Failed):
    """The agents in the lab cannot do that."""


class Prepared(NamedTuple):
    """A move that is prepared."""

    begin: Callable[[], None]
    moved: Callable[[], bool]
    """Whether it has happened."""
    undo: Callable[[], None]


@dataclass(frozen=True)
class Move:
    """One kind of planned move."""

    prepare: Callable[[Rig, Balancer, str], Prepared]
    back_s: float | None = None
    """Within what both tunnels are promised to be healthy again."""


def _nothing() -> None:
    """For what need not be undone."""


def _switch(rig: Rig, balancer: Balancer, router: str) -> Prepared:
    other = next(name for name in rig.routers() if name != router)
    return Prepared(
        lambda: balancer.prefer(other), lambda: rig.active() not in (router, None), _nothing
    )


def _drain(rig: Rig, _balancer: Balancer, router: str) -> Prepared:
    shell = rig.shell(router)
    try:
        shell.run("nrs drain --help")
    except Failed:
        raise Missing("the agents in the lab have no `nrs drain`") from None

    def undo() -> None:
        with suppress(Failed):
            shell.run("nrs undrain")

    return Prepared(
        lambda: _ignore(shell.run(f"nrs drain --deadline {_DEADLINE_S}")),
        lambda: rig.active() not in (router, None),
        undo,
    )


def _upgrade(rig: Rig, _balancer: Balancer, router: str) -> Prepared:
    """Between two releases of the same content, in directories of their own."""
    shell = rig.shell(router)
    other = second_release(rig, router)
    before = rig.agent(router, ROUTER_UNIT)
    restart = f"systemctl restart {ROUTER_UNIT}"
    return Prepared(
        lambda: _ignore(shell.run(f"{_point(other)} && {restart}")),
        lambda: rig.agent(router, ROUTER_UNIT) not in (before, 0),
        _nothing,
    )


def second_release(rig: Rig, router: str) -> str:
    """A release that a router does not run, made where there is none. Raises Failed."""
    shell = rig.shell(router)
    present = shell.run(f"readlink {_RELEASES}/current").strip().rpartition("/")[2]
    original = present.removesuffix(_SUFFIX)
    copy = original + _SUFFIX
    shell.run(_COPY.format(releases=f"{_RELEASES}/releases", original=original, copy=copy))
    return copy if present == original else original


_SUFFIX = ".bench"
# Scripts in a virtual environment name their interpreter by its whole path.
_COPY = """
cd {releases} && if ! test -e {copy}; then
    rm -rf {copy}.new && cp -a {original} {copy}.new &&
    find {copy}.new/bin {copy}.new/pyvenv.cfg -type f \\
        -exec sed -i 's,releases/{original}/,releases/{copy}/,' '{{}}' + &&
    mv {copy}.new {copy}
fi
"""


def _point(release: str) -> str:
    """As the installation does: one link in place of another, in one step."""
    link = shlex.quote(f"{_RELEASES}/current")
    return f"ln -sfn releases/{shlex.quote(release)} {link}.new && mv -T {link}.new {link}"


def restore_release(rig: Rig, router: str) -> None:
    """Back to the release that was deployed, and no other. Raises Failed."""
    shell = rig.shell(router)
    present = shell.run(f"readlink {_RELEASES}/current").strip().rpartition("/")[2]
    original = present.removesuffix(_SUFFIX)
    if present != original:
        shell.run(f"{_point(original)} && systemctl restart {ROUTER_UNIT}")
    shell.run(f"rm -rf {_RELEASES}/releases/{shlex.quote(original + _SUFFIX)}")


def _ignore(_said: str) -> None:
    """What a command said."""


MOVES = {"switch": Move(_switch), "drain": Move(_drain), "upgrade": Move(_upgrade, back_s=1.0)}
