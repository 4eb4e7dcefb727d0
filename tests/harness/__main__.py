"""The command line behind `bin/test`."""

from __future__ import annotations

import argparse
import fcntl
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import IO, NoReturn

from harness import lint, sanity, system, unit
from harness.report import Report, Unusable
from harness.settings import Cache, cache

# The quick ones first.
PARTS: dict[str, Callable[[Report, Cache], None]] = {
    "lint": lint.run,
    "unit": unit.run,
    "sanity": sanity.run,
    "system": system.run,
}


def main(words: Sequence[str]) -> int:
    """Run the parts that are asked for; 0 where every check passed."""
    parser = argparse.ArgumentParser(prog="bin/test")
    parser.add_argument("part", choices=["all", *PARTS])
    asked = parser.parse_args(words).part
    # As Ctrl-C does: what was started is ended, and what was set up is removed.
    signal.signal(signal.SIGTERM, _interrupt)
    of = cache()
    lock = _lock(of)
    report = Report()
    started = time.monotonic()
    try:
        for name, part in PARTS.items():
            if asked in ("all", name):
                try:
                    part(report, of)
                except Unusable as error:
                    report.fail(name, "setting up", str(error))
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    finally:
        lock.close()
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"\n=== {asked}, in {minutes} min {seconds} s")
    print("\n".join(report.lines()), flush=True)
    return 1 if report.counts.failed or not report.outcomes else 0


def _lock(of: Cache) -> IO[str]:
    """Wait until no other run uses the cache and the lab."""
    of.root.mkdir(parents=True, exist_ok=True)
    lock = (of.root / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"another bin/test uses {of.root}: waiting for its end", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
