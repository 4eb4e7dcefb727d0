"""Tell systemd how the unit fares (sd_notify(3))."""

from __future__ import annotations

import logging
import os
import socket
import time

log = logging.getLogger(__name__)


def notify(*assignments: str) -> None:
    """Send e.g. `READY=1` and `STATUS=...`; does nothing outside systemd.

    A manager that does not listen is logged and else ignored: the agent's work goes on.
    """
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    if path.startswith("@"):
        path = "\0" + path[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto("\n".join(assignments).encode(), path)
        except OSError as error:
            log.warning("systemd was not told %s: %s", assignments[0], error)


def ready(status: str) -> None:
    """The agent serves: `systemctl start` and `reload` return."""
    notify("READY=1", f"STATUS={status}")


def reloading() -> None:
    """A reload has begun; `ready` ends it."""
    microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify("RELOADING=1", f"MONOTONIC_USEC={microseconds}")


def stopping() -> None:
    """The agent is on its way out by request."""
    notify("STOPPING=1")
