"""The command line behind `bin/test`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

from harness import lint, sanity, system, unit
from harness.report import Report, Unusable
from harness.settings import Cache, cache
from testbed.lock import locked

# The quick ones first.
PARTS: dict[str, Callable[[Report, Cache], None]] = {
    "lint": lint.run,
    "unit": unit.run,
    "sanity": sanity.run,
    "system": system.run,
    "nightly": system.nightly,
}
APART = ("nightly",)
"""Those that `all` leaves out."""


def main(words: Sequence[str]) -> int:
    """Run the parts that are asked for; 0 where every check passed."""
    parser = argparse.ArgumentParser(prog="bin/test")
    parser.add_argument("part", choices=["all", *PARTS])
    asked = parser.parse_args(words).part
    # As Ctrl-C does: what was started is ended, and what was set up is removed.
    signal.signal(signal.SIGTERM, _interrupt)
    of = cache()
    of.root.mkdir(parents=True, exist_ok=True)
    waiting = partial(print, f"another bin/test uses {of.root}: waiting for its end", flush=True)
    try:
        with locked(of.root / "lock", waiting):
            return _run(asked, of)
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130


def _run(asked: str, of: Cache) -> int:
    report = Report()
    started = time.monotonic()
    for name, part in PARTS.items():
        if asked == name or (asked == "all" and name not in APART):
            try:
                part(report, of)
            except Unusable as error:
                report.fail(name, "setting up", str(error))
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"\n=== {asked}, in {minutes} min {seconds} s")
    print("\n".join(report.lines()), flush=True)
    return 1 if report.counts.failed or not report.outcomes else 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
