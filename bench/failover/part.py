"""`bin/bench failover`: what faults and planned moves cost whoever uses the tunnels.

On the lab's hosts an endpoint sends 1,000 packets a second to an echo at the business server,
beside one TCP flow, and the router that it uses fails, or is left for another. The gap is what
the application sees: from the last echo before the fault to the first after it. Each trial
begins with two healthy tunnels and a new flow, through the routers in turn.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial

from bench import document
from bench.arguments import add_names, positive
from bench.failover import false_failovers, labs, moves, report, trial
from bench.failover.balancer import Balancer
from bench.failover.faults import FAULTS
from bench.failover.moves import MOVES, Missing
from bench.failover.rig import Rig
from bench.failover.summary import Summary, Trial
from bench.failover.trial import Left, Setting
from bench.machine import Watch
from bench.progress import progress
from bench.settings import Places
from testbed.failed import Failed
from testbed.wait import wait_until

FALSE_FAILOVERS = "false_failovers"
NAMES = (*FAULTS, *MOVES, FALSE_FAILOVERS)
_ATTEMPTS = 3
_ADVISED_S = 2.0
_HEALTHY_S = 60.0
_PREFER_S = 5.0
_HELD_S = 320.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this part."""
    parser.add_argument("--trials", type=positive, default=30, help="of each fault; default: 30")
    add_names(parser, "--faults", "fault", NAMES)
    parser.add_argument(
        "--minutes", type=positive, default=10, help=f"of {FALSE_FAILOVERS}; default: 10"
    )
    parser.add_argument(
        "--jitter",
        type=positive,
        default=30,
        metavar="MS",
        help=f"delay of up to so much each way in {FALSE_FAILOVERS}; default: 30",
    )
    parser.add_argument(
        "--mbps", type=positive, default=200, help="of the TCP flow in each trial; default: 200"
    )
    parser.add_argument(
        "--slack",
        type=positive,
        default=1,
        metavar="FACTOR",
        help="multiply the targets, for a noisy machine; default: 1",
    )
    labs.add_arguments(parser)


@dataclass
class Outcome:
    """What was found."""

    trials: dict[str, list[Trial]] = field(default_factory=dict)
    false_failovers: tuple[int, int] | None = None
    """Minutes and count."""
    restless: int = 0
    """How often the endpoint left its router before a fault was injected."""
    broken: list[str] = field(default_factory=list)

    def complain(self, text: str) -> None:
        """A measurement could not be made."""
        self.broken.append(text)
        progress(text)


def measure(options: argparse.Namespace, places: Places) -> int:
    """Measure, print, and return the exit status: 0 unless a measurement was broken."""
    watch = Watch()
    outcome = Outcome()
    try:
        with labs.lab(options, places) as settings, labs.rig(settings) as rig:
            _measure_all(options, rig, outcome)
    finally:
        if outcome.trials or outcome.false_failovers is not None:
            _print(watch, options, outcome)
    return 1 if outcome.broken else 0


def _measure_all(options: argparse.Namespace, rig: Rig, outcome: Outcome) -> None:
    """Planned moves first: after faults, hold-downs of minutes are in their way."""
    wait_until(rig.healthy, _HEALTHY_S, "two healthy tunnels before the first trial")
    setting = Setting(rig, options.mbps)
    with ExitStack() as stack:
        balancer = Balancer(rig)
        stack.callback(balancer.close)
        balancer.hurry()
        if planned := [name for name in options.faults if name in MOVES]:
            _until_free(rig, balancer)
        for name in planned:
            one = _move(name, setting, balancer)
            try:
                _series(name, setting, balancer, options.trials, outcome, one)
            finally:
                if name == "upgrade":
                    _restore_releases(rig)
        for name in options.faults:
            if name in FAULTS:
                _series(name, setting, balancer, options.trials, outcome, _fault(name, setting))
        if FALSE_FAILOVERS in options.faults:
            _false_failovers(options, rig, balancer, outcome)


def _until_free(rig: Rig, balancer: Balancer) -> None:
    """Until the endpoint goes to each router as advised, whatever has failed before."""
    progress("waiting until no router is held down any more")
    for router in (*rig.routers(), rig.active()):
        if router is not None:
            balancer.prefer(router)
            wait_until(partial(_uses, rig, router), _HELD_S, f"the endpoint uses {router}")


def _uses(rig: Rig, router: str) -> bool:
    return rig.active() == router


def _false_failovers(
    options: argparse.Namespace, rig: Rig, balancer: Balancer, outcome: Outcome
) -> None:
    try:
        wait_until(rig.healthy, _HEALTHY_S, "two healthy tunnels")
        # The last advice stands while nobody advises.
        _turn(rig, balancer, None)
        time.sleep(_ADVISED_S)
        found = false_failovers.count(rig, options.minutes, options.jitter)
    except (Failed, OSError, ValueError) as error:
        outcome.complain(f"{FALSE_FAILOVERS}: {error}")
    else:
        outcome.false_failovers = (options.minutes, found)


def _fault(name: str, setting: Setting) -> Callable[[str, int], Trial]:
    return lambda router, number: trial.of_fault(setting, FAULTS[name], router, number)


def _move(name: str, setting: Setting, balancer: Balancer) -> Callable[[str, int], Trial]:
    return lambda router, number: trial.of_move(setting, MOVES[name], balancer, router, number)


def _restore_releases(rig: Rig) -> None:
    for router in rig.routers():
        moves.restore_release(rig, router)
    wait_until(rig.healthy, _HEALTHY_S, "two healthy tunnels after the upgrades")


def _series(
    name: str,
    setting: Setting,
    balancer: Balancer,
    trials: int,
    outcome: Outcome,
    one: Callable[[str, int], Trial],
) -> None:
    """All trials of one fault."""
    rig = setting.rig
    done: list[Trial] = []
    last: str | None = None
    failures = left = 0
    while len(done) < trials and failures < _ATTEMPTS:
        number = len(done)
        try:
            wait_until(rig.healthy, _HEALTHY_S, "two healthy tunnels before a trial")
            last = _turn(rig, balancer, last)
            found = one(last, number)
        except Left as error:
            outcome.restless += 1
            left += 1
            progress(f"{name}, trial {number + 1} begins again: {error}")
            if left > trials:
                outcome.complain(f"{name}: the endpoint does not stay where it is")
                break
        except Missing as error:
            outcome.complain(f"{name}: not measured: {error}")
            break
        except (Failed, OSError, ValueError) as error:
            failures += 1
            outcome.complain(f"{name}, trial {number + 1}: {error}")
        else:
            done.append(found)
            outcome.trials[name] = done
            progress(f"{name} {len(done)} of {trials}: {report.of_trial(found)}")


def _turn(rig: Rig, balancer: Balancer, last: str | None) -> str:
    """The router to hit: the endpoint's in turn.

    A fault moves the endpoint to the next by itself. Where it did not, it is advised to go
    there, and hit where it is unless it does so soon: a router may be held down for minutes.
    """
    active, routers = rig.active(), rig.routers()
    if last is not None and active == last:
        wanted = routers[(routers.index(last) + 1) % len(routers)]
        balancer.prefer(wanted)
        with suppress(Failed):
            wait_until(partial(_uses, rig, wanted), _PREFER_S, "")
        active = rig.active()
    if active is None:
        raise Failed("the endpoint uses no router")
    balancer.prefer(active)
    return active


def _print(watch: Watch, options: argparse.Namespace, outcome: Outcome) -> None:
    print(watch.described)
    print(watch.disturbance())
    measured = [name for name in options.faults if name in outcome.trials]
    summaries = {name: Summary(outcome.trials[name]) for name in measured}
    for line in report.lines(summaries, outcome.false_failovers, options.slack):
        print(line)
    if outcome.restless:
        print(
            f"{outcome.restless} trials were begun again: the endpoint had left its router before"
            " anything was done to it"
        )
    for text in outcome.broken:
        print(f"not measured: {text}")
    document.show(
        options.origin, report.rows(summaries), *report.notes(summaries, outcome.false_failovers)
    )
    print(report.closing_line(summaries, outcome.false_failovers))
    sys.stdout.flush()
