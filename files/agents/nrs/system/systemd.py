"""Tell systemd how the unit fares (sd_notify(3))."""

from __future__ import annotations

import logging
import os
import select
import socket
import subprocess
import time

log = logging.getLogger(__name__)

_ANSWER_TIMEOUT_S = 2.0


def is_listening() -> bool:
    """Whether there is a manager to be told."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def notify(*assignments: str, descriptor: int | None = None) -> None:
    """Send e.g. `READY=1` and `STATUS=...`; does nothing outside systemd.

    A manager that does not listen is logged and else ignored: the agent's work goes on.
    """
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    if path.startswith("@"):
        path = "\0" + path[1:]
    along = [] if descriptor is None else [descriptor]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(path)
            socket.send_fds(sock, ["\n".join(assignments).encode()], along)
        except OSError as error:
            log.warning("systemd was not told %s: %s", assignments[0], error)


def barrier() -> None:
    """Wait until systemd has acted on what it was told before (sd_notify_barrier(3))."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        notify("BARRIER=1", descriptor=writer)
    finally:
        os.close(writer)
    # It closes its end; so did `notify` where nobody listens.
    poll = select.poll()
    poll.register(reader, 0)
    if not poll.poll(_ANSWER_TIMEOUT_S * 1000):
        log.warning("systemd does not act on what it is told")
    os.close(reader)


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


def job_of(unit: str) -> str | None:
    """What systemd is asked to do with the unit, such as `stop` or `restart`. Takes a moment.

    None for nothing, and where systemd does not say.
    """
    try:
        jobs = subprocess.run(
            ["systemctl", "list-jobs", "--no-legend", "--plain"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_TIMEOUT_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("systemd does not say what it is asked to do: %s", error)
        return None
    for job in jobs.splitlines():
        name, kind = [*job.split(), "", "", ""][1:3]
        if name == f"{unit}.service":
            return kind
    return None
