"""The command line of `nrs simulate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from nrs.simulation import names

_FILE = click.Path(path_type=Path)
_BOTH = "both"


@click.command("simulate")
@click.option(
    "--scenario",
    type=click.Choice(names.SCENARIOS),
    default=names.STEADY_ASYNC,
    show_default=True,
    help="What the other options change.",
)
@click.option(
    "--rule",
    type=click.Choice([_BOTH, *names.RULES]),
    default=_BOTH,
    show_default=True,
    help="The load balancer, or the plain rule of threshold and hold time beside it.",
)
@click.option("--seeds", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option("--first-seed", type=int, default=0, show_default=True)
@click.option("--endpoints", type=int, help="Their number; with --replay, of a recording without.")
@click.option("--routers", type=int, help="So many routers of the same capacity.")
@click.option("--capacities", metavar="MBPS,...", help="Routers of different capacities.")
@click.option("--candidates", type=int, help="Routers that each endpoint has tunnels to.")
@click.option("--mean-load", type=float, help="Share of all capacity that is used.")
@click.option("--spread", type=float, help="Sigma of the endpoints' log-normal demands.")
@click.option("--wander", type=float, help="Sigma of each demand's changes, once a minute.")
@click.option("--diurnal", type=float, help="Amplitude of the daily sine, a share of the mean.")
@click.option("--day", type=float, help="Seconds of a day.")
@click.option(
    "--burst",
    multiple=True,
    metavar="AT:SECONDS:SHARE:FACTOR",
    help="A share of the endpoints carries more for a while.",
)
@click.option(
    "--event",
    multiple=True,
    metavar="WHAT:ROUTER@AT",
    help="death, return, drain, undrain, or double the capacity of a router: death:1@600",
)
@click.option("--flow-seconds", type=float, help="How long flows stay after a planned move.")
@click.option(
    "--stating/--silent", default=None, help="Whether endpoints say what they carry when they ask."
)
@click.option("--report-interval", type=float, help="Seconds between a router's reports.")
@click.option("--poll-interval", type=float, help="Seconds between an endpoint's questions.")
@click.option("--sync/--async", default=None, help="Everybody at the same moment, or not.")
@click.option("--duration", type=float, help="Seconds to simulate.")
@click.option("--warm-up", type=float, help="Seconds before anything is measured.")
@click.option("--config", type=_FILE, help="Go by the algorithm of this load_balancer.yaml.")
@click.option("--weights", metavar="cpu=N,...", help="Of cpu, memory, bandwidth, connections.")
@click.option("--threshold", type=float, help="anti_flap_threshold")
@click.option("--hold", type=float, help="anti_flap_hold_time")
@click.option("--slow-start", type=float, help="slow_start_time")
@click.option("--max-bandwidth", type=float, help="max_bandwidth_mbps")
@click.option("--max-connections", type=int, help="max_connections")
@click.option(
    "--png", type=_FILE, help="Draw the loads of the first seed into this file; needs matplotlib."
)
@click.option(
    "--record", type=_FILE, help="Write reports and decisions of the first seed to this file."
)
@click.option("--replay", type=_FILE, help="Go by this recording, with another algorithm.")
@click.option("--json", "as_json", is_flag=True, help="One object for each rule, and no chart.")
def simulate(**options: Any) -> None:
    """Try the load balancer's decisions on paper.

    Endpoints and routers are modelled, the decisions are those of the load balancer itself. With
    --replay, recorded metrics (JSON lines) are gone through once more with the algorithm that
    --config, --weights, --threshold and so on describe, and what it changes is told.
    """
    from nrs.cli import simulate as command  # noqa: PLC0415 - only this command needs it
    from nrs.cli import simulate_options as parse  # noqa: PLC0415

    try:
        sys.exit(command.main(options))
    except parse.OptionError as error:
        raise click.UsageError(str(error)) from None
