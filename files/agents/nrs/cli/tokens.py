"""`nrs token create` and `nrs token list`."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from nrs.cli.deployment import Deployment, Failed
from nrs.config.types import as_name
from nrs.identity import issue
from nrs.identity.credential import Credential, Role, date
from nrs.identity.ledger import Entry

# Without a terminal nothing is known of the width, and a line cut short is of no use.
_WIDTH_OF_A_PIPE = 200


def create(options: Mapping[str, Any]) -> int:
    """Make the tokens that the options ask for; the exit status."""
    role = Role(options["role"])
    deployment = Deployment(options["directory"])
    key, now = deployment.signing_key(), time.time()
    stated = {name: options[name] for name in ("tun_ipv4", "tun_ipv6")}
    stated |= {"lifetime": options["expires"], "id": _subject(role, options)}
    try:
        made = [
            issue.credential(role=role, url=url, now=now, random=secrets.token_bytes, **stated)
            for url in options["services"]
        ]
    except issue.CannotIssue as error:
        raise click.UsageError(str(error)) from None
    if len({credential.audience for credential in made}) < len(made):
        raise click.UsageError("--service names an instance twice")
    with deployment.ledger(now) as ledger:
        if deployment.revocations().refuses(made[0]):
            raise Failed(f"{made[0].id} is revoked until later than this machine's clock says")
        ledger.add(made)
    tokens = [issue.token(credential, key) for credential in made]
    if options["file"] is None:
        click.echo("\n".join(tokens))
        return 0
    lines = [f"# {_line(c)}\n{token}\n" for c, token in zip(made, tokens, strict=True)]
    deployment.write(options["file"], "".join(lines))
    for credential in made:
        click.echo(_line(credential))
    return 0


def show(directory: Path, of: str | None, *, everything: bool, as_json: bool) -> int:
    """Print what was issued, to `of` or to all; the exit status."""
    deployment, now = Deployment(directory), time.time()
    if not deployment.ledger_file.exists():
        raise Failed(f"{deployment.ledger_file}: no such file; no token was made here")
    with deployment.ledger() as ledger:
        shown = [
            entry
            for entry in ledger.entries
            if of in (None, entry.credential.id) and (everything or entry.is_good(now))
        ]
    if as_json:
        click.echo(json.dumps([_row(entry) for entry in shown], indent=2))
    else:
        _print(shown, now)
    return 0


def _subject(role: Role, options: Mapping[str, Any]) -> str:
    wanted, other = ("name", "id_") if role.is_person else ("id_", "name")
    value, option = options[wanted], f"--{wanted.rstrip('_')}"
    if value is None or options[other] is not None:
        raise click.UsageError(f"--role {role.value} takes {option}, not --{other.rstrip('_')}")
    if role.is_person and options["expires"] is None:
        raise click.UsageError(f"--role {role.value} needs --expires, such as 90d")
    try:
        return as_name(value)
    except ValueError as error:
        raise click.UsageError(f"{option}: {value!r} {error}") from None


def _line(credential: Credential) -> str:
    end = "" if credential.expires is None else f" until {date(credential.expires)}"
    whose = f"{credential.role.value} {credential.id}"
    return f"{credential.serial} of {whose} for {credential.audience}{end}"


def _row(entry: Entry) -> dict[str, Any]:
    of = entry.credential
    return {
        "serial": of.serial,
        "role": of.role.value,
        "id": of.id,
        "audience": of.audience,
        "issued": of.issued,
        "expires": of.expires,
        "revoked": entry.revoked,
    }


def _print(entries: Sequence[Entry], now: float) -> None:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("serial", "role", "id", "service", "issued", "ends", "state"):
        table.add_column(title, no_wrap=title == "serial")
    for entry in entries:
        of = entry.credential
        ends = "never" if of.expires is None else date(of.expires)
        names = (of.serial, of.role.value, of.id, of.audience)
        table.add_row(*names, date(of.issued), ends, _state(entry, now))
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)
    console.print(table)


def _state(entry: Entry, now: float) -> str:
    if entry.revoked is not None:
        return f"revoked {date(entry.revoked)}"
    return "good" if entry.is_good(now) else "ended"
