"""What agents report, as tables for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nrs.tunnel.address_text import name_ports

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], Text]]

# Without a terminal nothing is known of the width, and a line cut short is of no use.
_WIDTH_OF_A_PIPE = 200
_HEADLINE_KEYS = ("role", "id", "codec", "offloads")
_GOOD = {"online", "active", "up", "yes"}
_BAD = {
    "offline",
    "down",
    "no",
    "stale",
    "inactive",
    "disabled",
    "egress_down",
    "ejected",
    "contested",
    "revoked",
}


def print_reports(reports: Sequence[Row], *, now: float) -> None:
    """Print each agent's report to standard output; `now` is seconds since the epoch."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)
    for report in reports:
        console.print(headline(report))
        for problem in problems(report, now):
            console.print(problem)
        for line in details(report):
            console.print(line)
        for table in tables(report, now):
            console.print(table)


def headline(report: Row) -> Text:
    """Who it is, and for an agent with tunnels how it moves packets."""
    line = Text(f"{report.get('role', '?')} {report.get('id', '?')}", style="bold")
    if report.get("codec"):
        offloads = ", ".join(str(o) for o in report.get("offloads") or []) or "none"
        line.append(f"  codec {report['codec']}, offloads {offloads}", style="not bold")
    return line


def problems(report: Row, now: float) -> list[Text]:
    """A line for everything that is not as it should be."""
    return [
        Text(f"  problem for {age(now - row['since'])}: {row['what']}", style="red")
        for row in report.get("problems") or []
    ]


def details(report: Row) -> list[Text]:
    """A line for every further single value that the agent reports, for its routes and ports."""
    lines = [
        Text(f"  {key.replace('_', ' ')}: {_plain(value)}")
        for key, value in report.items()
        if key not in _HEADLINE_KEYS and isinstance(value, (str, int, float))
    ]
    if isinstance(routes := report.get("routes"), Mapping):
        text = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in routes.items())
        lines.append(Text(f"  routes: {text}"))
    if ports := report.get("ports"):
        lines.append(Text(f"  listens on UDP {name_ports(ports)}"))
    return lines


def tables(report: Row, now: float) -> list[Table]:
    """The tables of one report, by what it holds."""
    found = []
    if report.get("tunnels"):
        found.append(
            _table(_tunnel_columns(now, len(report.get("ports") or ())), report["tunnels"])
        )
    elif report.get("codec"):
        found.append(_table([("", lambda _: Text("no tunnel"))], [{}]))
    if isinstance(report.get("servers"), list):
        found.append(_table(_SERVER_COLUMNS, report["servers"]))
    if isinstance(report.get("devices"), list):
        found.append(_table(_device_columns(now), report["devices"]))
    return found


def age(seconds: float) -> str:
    """A duration as its two largest units: `3 d 4 h`, `12 min 5 s`, `0 s`."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _table(columns: Sequence[Column], rows: Iterable[Row]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title, _ in columns:
        table.add_column(title)
    for row in rows:
        table.add_row(*(cell(row) for _, cell in columns))
    return table


def _tunnel_columns(now: float, ports: int) -> list[Column]:
    """`ports`: at how many the agent listens; with several it is told which one a tunnel uses."""
    own: list[Column] = [("port", lambda row: Text(str(row.get("port", "-"))))] if ports > 1 else []
    return [
        ("peer", lambda row: Text(str(row.get("router_id") or row.get("endpoint_id") or "?"))),
        ("state", lambda row: _word(_tunnel_state(row))),
        ("active", lambda row: _word("yes") if row.get("active") else Text("standby")),
        ("rtt", lambda row: _figure(row.get("rtt_ms"), "{:.2f} ms")),
        ("path MTU", _path),
        ("address", lambda row: Text(str(row.get("address") or "-"))),
        *own,
        ("since", lambda row: _since(row.get("since"), now)),
    ]


def _tunnel_state(row: Row) -> str:
    if not row.get("up"):
        return "revoked" if row.get("state") == "revoked" else "down"
    return "contested" if row.get("contested") else "up"


def _path(row: Row) -> Text:
    size, state = row.get("path_mtu"), row.get("path_state", "complete")
    if size is None:
        return Text("-")
    text = str(size) if state == "complete" else f"{size} ({state})"
    if row.get("not_together"):
        text += ", no trains"
    return Text(text, style="red" if state == "error" else "")


_SERVER_COLUMNS: list[Column] = [
    ("server", lambda row: Text(str(row.get("server_id", "?")))),
    ("name", lambda row: Text(str(row.get("server_name") or ""))),
    ("status", lambda row: _word(str(row.get("status", "?")))),
    ("score", lambda row: _figure(row.get("score"), "{:.3f}")),
    ("cpu", lambda row: _figure(row.get("cpu_percent"), "{:.0f} %")),
    ("memory", lambda row: _figure(row.get("memory_percent"), "{:.0f} %")),
    ("bandwidth", lambda row: _figure(row.get("bandwidth_mbps"), "{:.1f} Mb/s")),
    ("tunnels", lambda row: _figure(row.get("active_tunnels"), "{}")),
    ("reason", lambda row: Text(str(row.get("reason") or ""))),
]


def _device_columns(now: float) -> list[Column]:
    return [
        ("device", lambda row: Text(str(row.get("device_id", "?")))),
        ("type", lambda row: Text(str(row.get("device_type", "?")))),
        ("status", lambda row: _word(str(row.get("status", "?")))),
        ("last seen", lambda row: _since(row.get("last_seen"), now)),
        ("tunnel IPv4", lambda row: Text(str(row.get("tun_ipv4") or "-"))),
        ("tunnel IPv6", lambda row: Text(str(row.get("tun_ipv6") or "-"))),
        ("config", _config),
    ]


def _config(row: Row) -> Text:
    wanted, running = row.get("config_version", 0), row.get("config_acknowledged", 0)
    if row.get("config_error"):
        return Text(f"{wanted} refused: {row['config_error']}", style="red")
    if wanted == running:
        return Text(str(wanted))
    return Text(f"{wanted} (runs {running})", style="yellow")


def _word(word: str) -> Text:
    style = "green" if word in _GOOD else "red" if word in _BAD else ""
    return Text(word, style=style)


def _figure(value: Any, form: str) -> Text:
    return Text("-" if value is None else form.format(value))


def _since(value: Any, now: float) -> Text:
    return Text("-" if value is None else age(now - value))


def _plain(value: str | int | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
