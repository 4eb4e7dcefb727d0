"""`nrs`: runs the agents, checks their files, asks them how they are."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import click

import nrs
from nrs.cli.ca_command import ca
from nrs.cli.device_command import device
from nrs.cli.simulate_command import simulate
from nrs.cli.token_command import token
from nrs.cli.units import TUNNEL_UNITS, UNITS, Unit

_FILE = click.Path(path_type=Path)
_UNIT = click.Choice(list(UNITS))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(nrs.__version__, prog_name="nrs", message="%(prog)s %(version)s")
def main() -> None:
    """The network routing system on this host."""


def _run_command(unit: Unit) -> click.Command:
    @click.command(unit.command, help=unit.summary)
    @click.option(
        "--config",
        type=_FILE,
        default=unit.config_file,
        show_default=True,
        help="The agent's configuration. SIGHUP reads it again, SIGTERM stops the agent.",
    )
    def command(config: Path) -> None:
        gc.disable()  # nothing that is imported is garbage, and a restart waits for it
        from nrs.agent.run import run_agent  # noqa: PLC0415 - keeps `nrs status` quick

        agent = unit.agent()
        gc.enable()
        sys.exit(run_agent(config, agent))

    return command


for _unit in UNITS.values():
    main.add_command(_run_command(_unit))
main.add_command(simulate)
main.add_command(ca)
main.add_command(token)
main.add_command(device)


@main.command("check-config")
@click.option("--unit", type=_UNIT, help="Whose file it is; else the file's name says it.")
@click.argument("file", type=_FILE)
def check_config(unit: str | None, file: Path) -> None:
    """Say what is wrong with a configuration FILE, without starting anything.

    Exit status 2 when the agent would refuse it.
    """
    from nrs.config.loader import ConfigError, load  # noqa: PLC0415 - keeps `nrs status` quick

    name = unit or file.stem
    if name not in UNITS:
        raise click.UsageError(
            f"{file}: the name is not that of a unit's file ({', '.join(UNITS)});"
            " say whose file it is with --unit"
        )
    try:
        load(file, UNITS[name].model())
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    click.echo(f"{file}: ok")


@main.command("status")
@click.option("--json", "as_json", is_flag=True, help="One object, or a list for several agents.")
@click.option("--unit", type=_UNIT, help="Ask this agent only.")
def status(as_json: bool, unit: str | None) -> None:
    """Show how the agents on this host are: tunnels, servers, devices.

    Exit status 1 when no agent runs, or one does not answer.
    """
    from nrs.cli import status as command  # noqa: PLC0415 - only this command needs it

    sys.exit(command.show([unit] if unit else list(UNITS), as_json=as_json))


@main.command("why")
@click.option("--json", "as_json", is_flag=True, help="A list of events, with all that was known.")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="How many moves; the last 1,000 are kept.",
)
def why(as_json: bool, count: int) -> None:
    """Say why this endpoint's traffic moved to another router, newest last.

    Exit status 1 where no access endpoint runs, or it does not answer.
    """
    from nrs.cli import why as command  # noqa: PLC0415 - only this command needs it

    sys.exit(command.show(count, as_json=as_json))


@main.command("drain")
@click.option(
    "--deadline",
    type=click.FloatRange(0, 7 * 86400),
    metavar="SECONDS",
    help="Reset what is left by then; 300 where nothing is stated and it does not drain yet.",
)
def drain(deadline: float | None) -> None:
    """Take the routing server on this host out of service: new connections go elsewhere.

    Those that exist stay until they end, or are reset at the deadline. It holds over a restart,
    until `nrs undrain`. Repeating it changes nothing unless a deadline is stated.
    """
    from nrs.cli import drain as command  # noqa: PLC0415 - only this command needs it

    sys.exit(command.drain(deadline))


@main.command("undrain")
def undrain() -> None:
    """Put the routing server on this host back into service."""
    from nrs.cli import drain as command  # noqa: PLC0415 - only this command needs it

    sys.exit(command.undrain())


@main.command("cleanup")
@click.option("--unit", type=click.Choice(TUNNEL_UNITS), help="Only what this agent has left.")
def cleanup(unit: str | None) -> None:
    """Remove what an agent that was killed has left on this host: routes, rules, NAT.

    Nothing of anybody else is touched. Exit status 1 where an agent runs, or something stays.
    """
    from nrs.cli import cleanup as command  # noqa: PLC0415 - only this command needs it

    sys.exit(command.clean([unit] if unit else TUNNEL_UNITS))


@main.command("stopping", hidden=True)
@click.option("--config", type=_FILE, help="The agent's file, where it is not the usual one.")
@click.argument("unit", type=_UNIT)
def stopping(unit: str, config: Path | None) -> None:
    """Tell the agent of UNIT whether it is stopped for a restart. For its unit's ExecStop=."""
    from nrs.cli import stopping as command  # noqa: PLC0415 - only this command needs it

    sys.exit(command.tell(unit, config))
