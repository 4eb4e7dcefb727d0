"""Why no routing server can be used, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nrs.balancer.decide.member import Member
from nrs.balancer.decide.standing import Status

_NAMED = 5


def why_none(members: Mapping[str, Member], among: Sequence[str] | None, now: float) -> str:
    """Of `members` none is of use, or of those among them that an endpoint can reach."""
    named = members if among is None else among
    known = [members[router_id] for router_id in sorted(named) if router_id in members]
    if not known and among is None:
        return "no routing server has reported yet"
    if not known:
        return f"no routing server among the candidates has reported yet: {', '.join(named)}"
    parts = ["no routing server is active"]
    for status, what, describe in _KINDS:
        names = [describe(m, now) for m in known if m.standing.status is status]
        if names:
            more = ", ..." if len(names) > _NAMED else ""
            parts.append(f"{what}: {', '.join(names[:_NAMED])}{more}")
    return "; ".join(parts)


def _name(member: Member, _: float) -> str:
    return member.router_id


def _silence(member: Member, now: float) -> str:
    return f"{member.router_id} for {now - member.router.received_at:.0f} s"


_KINDS: tuple[tuple[Status, str, Callable[[Member, float], str]], ...] = (
    (Status.INACTIVE, "without a report", _silence),
    (Status.EJECTED, "ejected", _name),
    (Status.DISABLED, "disabled", _name),
)
