"""`bin/bench flood`: what strangers' datagrams cost those who have a session, or want one.

An endpoint and a routing server, each in a namespace of its own, with a TCP flow from one to the
other through the tunnel and a ping beside it, 100 a second. A stranger in a third namespace sends
junk (`junk.c`) to the routing server by a link of its own:

    index        DATA of random sessions, from one source
    tag          DATA of the endpoint's session with a wrong tag, as who watches the line can send
                 it, from another address
    hello        HELLOs of devices that do not exist, each another one, from one source
    hello-many   the same, each from another source
    own          as `tag`, but it says that it comes from the session's own address and port

each at 200,000 a second and at what one core sends, `own` at 50,000. What it is compared with is
the same junk at the same rate, dropped by nftables as the last thing before the router's socket
(hook `input`): so the generator's share of the machine, and the kernel's for taking the frames,
are in both. The two take turns, and each flood has a baseline of its own. The generator, with what
the kernel does for its frames up to the socket, is on the last processor and goes before every
process there (SCHED_FIFO), as the work for a card's frames would; everything else is where the
kernel puts it. So on two processors they share the machine.

Gb/s are what the flow's receiver has got, medians of the rounds. A ping that is not answered
within 1 s counts as one of 1 s; p99 is over those of all rounds. Suspicions: how often the
endpoint's tunnel has left its state *up*, as its status says ten times a second. *unread*: what
the router's socket had no room for. *tracked*: flows that the kernel's connection tracking has on
the router's host, which does NAT. Memory: the resident memory of the router's processes after each
measurement, the most, less that before the first flood.

`handshake`: an endpoint that knows nothing of an earlier session is started while 20,000 junk
HELLOs a second come from its own /64, from many sources, or from its own address (at any port);
before that, while nftables drops them. Told are the seconds from its first datagram on the line
until its tunnel is up.

Targets are the C codec's; with `--codec python` figures are told and held against nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench import agents, document
from bench.arguments import add_names, positive
from bench.compiler import compiled
from bench.flood import figures, handshakes, load
from bench.flood.figures import Comparison, Figures
from bench.flood.handshakes import GIVE_UP_S
from bench.flood.kinds import DROPPED, HANDSHAKE, HANDSHAKES, KINDS, MOST, RATES, Flood, floods
from bench.flood.site import Site
from bench.machine import Watch
from bench.pair import Pair
from bench.progress import progress
from bench.settings import Places
from bench.table import plain

_GENERATOR = Path(__file__).resolve().with_name("junk.c")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this part."""
    add_names(parser, "--kinds", "kind", [*KINDS, HANDSHAKE])
    parser.add_argument(
        "--rate",
        type=_rates,
        default=RATES,
        metavar="N,...",
        help="junk a second, `most`: as much as one core sends; not of `own` and `handshake`;"
        " default: 200000,most",
    )
    parser.add_argument("--rounds", type=positive, default=2, help="default: 2")
    parser.add_argument(
        "--seconds", type=positive, default=5, help="of each measurement; default: 5"
    )
    parser.add_argument("--trials", type=positive, default=3, help="of handshakes; default: 3")
    parser.add_argument("--codec", choices=["c", "python"], default="c", help="default: c")


def _rates(text: str) -> list[int]:
    return [MOST if word == "most" else positive(word) for word in text.split(",")]


def measure(options: argparse.Namespace, places: Places) -> int:
    """Measure and print. Raises Failed, harness.report.Unusable."""
    watch = Watch()
    python, generator = agents.python(places), compiled(places, _GENERATOR)
    found = Figures()
    with Pair() as pair:
        site = Site(pair, python, options.codec, generator)
        wanted = floods(options.kinds, options.rate)
        if wanted:
            _flood(site, pair, wanted, options, found)
        if HANDSHAKE in options.kinds:
            _shake(site, pair, options.trials, found)
    _print(watch, options, found)
    return 0


def _flood(
    site: Site, pair: Pair, wanted: list[Flood], options: argparse.Namespace, found: Figures
) -> None:
    endpoint = site.start_endpoint()
    # What a first flow makes the agents keep is no growth.
    load.measured(site, pair, endpoint, wanted[0], options.seconds, dropped=True)
    found.rss_before_mb = found.rss_most_mb = site.router_mb()
    found.floods = {flood: Comparison() for flood in wanted}
    for number in range(1, options.rounds + 1):
        for flood, compared in found.floods.items():
            progress(f"round {number} of {options.rounds}: {flood}")
            for readings in (compared.baseline, compared.flooded):
                reading = load.measured(
                    site,
                    pair,
                    endpoint,
                    flood,
                    options.seconds,
                    dropped=readings is compared.baseline,
                )
                readings.of.append(reading)
                found.rss_most_mb = max(found.rss_most_mb, reading.rss_mb)
    pair.end(endpoint)


def _shake(site: Site, pair: Pair, trials: int, found: Figures) -> None:
    for name, source in HANDSHAKES.items():
        progress(f"handshakes, junk HELLOs {name}")
        found.handshakes[name] = [
            handshakes.trial(site, pair, source, dropped=name == DROPPED) for _ in range(trials)
        ]


def _print(watch: Watch, options: argparse.Namespace, found: Figures) -> None:
    how = f"codec {options.codec}, {options.rounds} rounds, each measurement {options.seconds} s"
    rows = figures.rows(found)
    if rows:
        how += f"; memory {found.rss_before_mb:.1f} MB before, {found.rss_most_mb:.1f} at most"
    notes = [*figures.too_slow(found), *figures.handshake_lines(found, GIVE_UP_S)]
    print("\n".join([watch.described, watch.disturbance(), how, ""]))
    print("\n".join([*(plain(rows) if rows else []), *notes]))
    if options.codec == "c":
        print("\n".join(["", "targets", *map(str, figures.targets(found, GIVE_UP_S))]))
    document.show(options.origin, rows, how, *notes)
    print(json.dumps(figures.summary(found)), flush=True)
