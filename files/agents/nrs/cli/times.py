"""Times on the command line: callbacks of click's options, which refuse with BadParameter."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone

import click

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"([1-9][0-9]{0,4})([smhd])")


def span(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """A length of time such as 90d, in seconds."""
    if value is None:
        return None
    found = _SPAN.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no length of time such as 90d, 12h, 5m or 30s")
    return float(int(found[1]) * _SECONDS[found[2]])


def moment(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """`now`, or a date with or without a time, in UTC unless it says otherwise; since the epoch."""
    if value is None or value == "now":
        return None if value is None else time.time()
    try:
        stated = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time such as now or 2027-01-31T12:00") from None
    if stated.tzinfo is None:
        stated = stated.replace(tzinfo=timezone.utc)
    if stated.timestamp() > time.time():
        raise click.BadParameter(f"{value} is in the future")
    return stated.timestamp()
