"""`nrs why`: the last moves of an endpoint's traffic, each with its cause."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from nrs.endpoint.events import Switch, one_line
from nrs.system import control

UNIT = "network_access_endpoint"


def show(count: int, *, as_json: bool) -> int:
    """Print the last `count` switches, newest last; the exit status."""
    path = control.socket_path(UNIT)
    try:
        if not path.is_socket():
            click.echo(
                "no access endpoint is running on this host, and only endpoints move traffic:"
                f" no control socket at {path}",
                err=True,
            )
            return 1
        events = ask(count)
        text = json.dumps(events, indent=2) if as_json else for_people(events, time.time())
    except PermissionError:
        click.echo(f"{UNIT}: permission denied at {path}: run `nrs why` as root", err=True)
        return 1
    except control.ControlError as error:
        click.echo(f"{UNIT}: {error}", err=True)
        return 1
    except ValueError as error:
        click.echo(f"{UNIT}: an answer of another release: {error}", err=True)
        return 1
    click.echo(text)
    return 0


def ask(count: int) -> list[dict[str, Any]]:
    """The last `count` events, oldest first; an answer holds only some. Raises ControlError."""
    path = control.socket_path(UNIT)
    page = control.request(path, "events", count=count)
    events: list[dict[str, Any]] = page["events"]
    if not events or len(events) >= count:
        return events
    # Numbers have no holes unless events were lost, of which the oldest are then left out.
    events = []
    since = max(0, page["last"] - count)
    while len(events) < count:
        left = count - len(events)
        page = control.request(path, "events", since=since, count=left)
        if not page["events"]:
            break
        events += page["events"]
        since = events[-1]["number"]
    return events


def for_people(events: list[dict[str, Any]], now: float) -> str:
    """A line for each event, with the date where it is not of today. Raises ValueError."""
    if not events:
        return "traffic has not moved yet"
    return "\n".join(_line(Switch.from_dict(event), now) for event in events)


def _line(switch: Switch, now: float) -> str:
    when = time.localtime(switch.when)
    today = when[:3] == time.localtime(now)[:3]
    return f"{time.strftime('%H:%M:%S' if today else '%Y-%m-%d %H:%M:%S', when)} {one_line(switch)}"
