"""Why traffic moved: each switch of an endpoint to another tunnel as an event. Pure.

Times are seconds since the Unix epoch, delays milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MOST_KEPT = 1000


@dataclass(frozen=True)
class Evidence:
    """What was known of one tunnel when traffic moved."""

    router_id: str
    state: str
    """Its liveness: connecting, up, suspect or down."""
    rtt_ms: float | None
    loss: float | None
    """The share of packets lost, 0 to 1."""
    unanswered: int
    """Probes without an answer."""
    silent_ms: float | None
    """Since its last answer."""
    draining: bool
    egress_up: bool
    held_down: bool
    """Within the hold-down after a failure."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, data: object) -> Evidence:
        """The reverse of `as_dict`. Raises ValueError for what is no evidence."""
        return cls(**_checked(data, _EVIDENCE, "evidence"))


@dataclass(frozen=True)
class Switch:
    """One move of traffic to another tunnel."""

    number: int
    """Counts from 1, also over restarts."""
    when: float
    before: str | None
    """The router that traffic leaves; none at the first tunnel."""
    after: str
    cause: str
    evidence: tuple[Evidence, ...]
    rejected: Mapping[str, str]
    """Why not another router, by its id."""
    resent: int
    """Packets sent again through the new tunnel."""
    flows_moved: int
    gap_ms: float | None = None
    """From the last sign of life through the old tunnel to the first through the new one.

    None until it is measured.
    """

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **vars(self),
            "evidence": [evidence.as_dict() for evidence in self.evidence],
            "rejected": dict(self.rejected),
        }

    @classmethod
    def from_dict(cls, data: object) -> Switch:
        """The reverse of `as_dict`. Raises ValueError for what is no switch."""
        values = _checked(data, _SWITCH, "switch")
        values["evidence"] = tuple(Evidence.from_dict(item) for item in values["evidence"])
        return cls(**values)


class SwitchLog:
    """The last switches, oldest first.

    One thread adds, any may read: what is kept is replaced as a whole, so that no
    reader ever holds up the packet loop.
    """

    def __init__(self, most: int = MOST_KEPT, start: Iterable[Switch] = ()) -> None:
        """Goes on after the numbers of `start`; of two with one number the later counts."""
        by_number = {switch.number: switch for switch in start}
        ordered = [by_number[number] for number in sorted(by_number)]
        self._most = most
        self._next = ordered[-1].number + 1 if ordered else 1
        self._kept: tuple[Switch, ...] = tuple(ordered[-most:])

    def add(
        self,
        *,
        when: float,
        before: str | None,
        after: str,
        cause: str,
        evidence: Iterable[Evidence],
        rejected: Mapping[str, str],
        resent: int,
        flows_moved: int,
    ) -> Switch:
        """Note a switch; the oldest is forgotten when there are too many."""
        switch = Switch(
            number=self._next,
            when=when,
            before=before,
            after=after,
            cause=cause,
            evidence=tuple(evidence),
            rejected=dict(rejected),
            resent=resent,
            flows_moved=flows_moved,
        )
        self._next += 1
        self._kept = (*self._kept, switch)[-self._most :]
        return switch

    def measured(self, number: int, gap_ms: float) -> Switch | None:
        """Note the gap of a switch; the switch with it, None where it is not kept any more."""
        kept = self._kept
        for index in range(len(kept) - 1, -1, -1):
            if kept[index].number == number:
                switch = replace(kept[index], gap_ms=gap_ms)
                self._kept = (*kept[:index], switch, *kept[index + 1 :])
                return switch
        return None

    def last(self, count: int | None = None) -> list[Switch]:
        """The last `count`, or all that are kept."""
        kept = self._kept
        return list(kept if count is None else kept[max(0, len(kept) - count) :])

    def since(self, number: int) -> list[Switch]:
        """Those after the switch `number`."""
        return [switch for switch in self._kept if switch.number > number]


def one_line(switch: Switch) -> str:
    """The switch as people read it, without its time."""
    text = f"{switch.before or 'none'} -> {switch.after}: {switch.cause}"
    if known := _known(switch):
        text += f" ({known})"
    parts = [text]
    if switch.gap_ms is not None:
        parts.append(f"gap {_duration(switch.gap_ms)}")
    if switch.flows_moved:
        parts.append(f"{_count(switch.flows_moved, 'flow')} moved")
    if switch.resent:
        parts.append(f"{_count(switch.resent, 'packet')} sent again")
    others = ((r, why) for r, why in switch.rejected.items() if r != switch.before)
    parts += [f"not {router_id}: {why}" for router_id, why in others]
    return "; ".join(parts)


def _known(switch: Switch) -> str:
    """What was known of the tunnel that traffic left, else of the one that it took."""
    shown = switch.before or switch.after
    evidence = next((e for e in switch.evidence if e.router_id == shown), None)
    if evidence is None:
        return ""
    parts = []
    if evidence.unanswered and evidence.state != "up":  # a probe is always on its way
        parts.append(f"{_count(evidence.unanswered, 'probe')} unanswered")
        if evidence.silent_ms is not None:
            parts.append(f"silent for {_duration(evidence.silent_ms)}")
    if evidence.loss:
        parts.append(f"loss {100 * evidence.loss:.3g} %")
    if evidence.rtt_ms is not None:
        parts.append(f"RTT {_duration(evidence.rtt_ms)}")
    return ", ".join(parts)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _duration(ms: float) -> str:
    if ms >= 9_999.5:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.1f} ms" if 0 < ms < 9.95 else f"{ms:.0f} ms"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_mapping_of_text(value: object) -> bool:
    return isinstance(value, dict) and all(_is_text(text) for text in [*value, *value.values()])


def _or_none(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


_EVIDENCE: dict[str, Callable[[object], bool]] = {
    "router_id": _is_text,
    "state": _is_text,
    "rtt_ms": _or_none(_is_number),
    "loss": _or_none(_is_number),
    "unanswered": _is_count,
    "silent_ms": _or_none(_is_number),
    "draining": _is_flag,
    "egress_up": _is_flag,
    "held_down": _is_flag,
}
_SWITCH: dict[str, Callable[[object], bool]] = {
    "number": lambda value: _is_count(value) and value != 0,
    "when": _is_number,
    "before": _or_none(_is_text),
    "after": _is_text,
    "cause": _is_text,
    "evidence": lambda value: isinstance(value, list),
    "rejected": _is_mapping_of_text,
    "resent": _is_count,
    "flows_moved": _is_count,
    "gap_ms": _or_none(_is_number),
}


def _checked(
    data: object, checks: Mapping[str, Callable[[object], bool]], what: str
) -> dict[str, Any]:
    """The fields of `data` that are checked; others may be those of a later release."""
    if not isinstance(data, dict):
        raise ValueError(f"{what} is not an object")
    for field, good in checks.items():
        if not good(data.get(field)):
            raise ValueError(f"{what}: {field} is missing or of another kind")
    return {field: data.get(field) for field in checks}
