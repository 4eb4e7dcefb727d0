"""The command line behind `bin/bench`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from harness.report import Unusable

from bench import balance_quality, document, sessions, trains, tunnel
from bench.api import part as api
from bench.balancer import part as balancer
from bench.failover import part as failover
from bench.failover import starved
from bench.flood import part as flood
from bench.progress import progress
from bench.settings import Places, places
from testbed.failed import Failed
from testbed.lock import locked


class Part(NamedTuple):
    """One benchmark."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    measure: Callable[[argparse.Namespace, Places], int]


PARTS = {
    "tunnel": Part(
        "throughput, CPU and delay beside other tunnels", tunnel.add_arguments, tunnel.measure
    ),
    "sessions": Part(
        "a routing server with many sessions", sessions.add_arguments, sessions.measure
    ),
    "flood": Part(
        "what strangers' datagrams cost the sessions of a routing server",
        flood.add_arguments,
        flood.measure,
    ),
    "trains": Part("what a card that damages trains costs", trains.add_arguments, trains.measure),
    "balancer": Part(
        "questions that a load balancer answers", balancer.add_arguments, balancer.measure
    ),
    "api": Part(
        "what the server of the APIs carries, also under attack", api.add_arguments, api.measure
    ),
    "failover": Part(
        "what faults and planned moves cost", failover.add_arguments, failover.measure
    ),
    "starved": Part(
        "false failovers, and what faults cost, where processors are scarce",
        starved.add_arguments,
        starved.measure,
    ),
    "balance-quality": Part(
        "how evenly and calmly the load balancer spreads the load",
        balance_quality.add_arguments,
        balance_quality.measure,
    ),
}


def main(words: Sequence[str]) -> int:
    """Run one part; 0 where every measurement could be made, whatever the figures."""
    parser = argparse.ArgumentParser(prog="bin/bench")
    choices = parser.add_subparsers(dest="part", required=True, metavar="PART")
    for name, part in PARTS.items():
        own = choices.add_parser(name, help=part.summary)
        part.add_arguments(own)
        own.add_argument(
            "--markdown",
            action="store_true",
            help="print the figures once more as a document has them: with machine and commit",
        )
    options = parser.parse_args(words)
    options.origin = document.origin(words) if options.markdown else None
    # As Ctrl-C does: what was started is ended, and what was set up is removed.
    signal.signal(signal.SIGTERM, _interrupt)
    kept = places()
    kept.root.mkdir(parents=True, exist_ok=True)
    try:
        with locked(kept.root / "running", _waiting):
            return PARTS[options.part].measure(options, kept)
    except (Failed, Unusable) as error:
        progress(f"bin/bench: {error}")
        return 1
    except KeyboardInterrupt:
        progress("interrupted")
        return 130


def _waiting() -> None:
    """They would measure each other."""
    progress("another bin/bench is running: waiting for its end")


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
