"""What the kernel gives the packet loop where many want a processor: soon, and a fair share.

The loop's thread stays in the ordinary class (SCHED_OTHER), which can starve nobody: others get
their weight's part of each processor however much the loop has to do. In it the thread gets

- a nice value: the weight within its session, or within its unit's cgroup;
- a short time slice (Linux 6.12): who asks for little at a time comes first. Costs no right;
- the same nice value for its session: with autogroups (sched(7)), sessions share a processor
  evenly whatever nice values are within them. Only where the process has a session to itself.

Threads and processes that it starts get none of that. A nice value below the present one takes
CAP_SYS_NICE or RLIMIT_NICE (`LimitNICE=` of the unit); what is not permitted is left.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NICE = -5
"""Three times the weight of others: enough to answer in time, and what the packets are for goes on
beside a loop that has all hands full (at -15 a full tunnel held up its own applications)."""
_SLICE_NS = 100_000
"""The kernel's least."""
_AUTOGROUP = Path("/proc/self/autogroup")
_RESET_ON_FORK = 0x01
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period."""
_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
_GETATTR = {"x86_64": 315, "aarch64": 275, "riscv64": 275}
"""Numbers of the system calls, which libc has no functions for."""


@dataclass(frozen=True)
class Scheduling:
    """What a thread runs with."""

    nice: int
    slice_ms: float | None
    """None where the kernel does not say."""

    @property
    def session_nice(self) -> int | None:
        """The process's at present, which root may set too; None without autogroups."""
        return _session_nice()

    def as_dict(self) -> dict[str, Any]:
        """For `nrs status --json`."""
        return {
            "nice": self.nice,
            "slice_ms": self.slice_ms,
            "session_nice": self.session_nice,
        }


def hurry() -> Scheduling:
    """Give the calling thread all of it that is permitted; what it runs with from now on."""
    with suppress(OSError):
        try:
            _set(min(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
        except PermissionError:
            _set(os.getpriority(os.PRIO_PROCESS, 0))
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            _AUTOGROUP.write_text(str(NICE), encoding="ascii")
    return present()


def step_aside() -> None:
    """Give the process a session of its own, and none of what its parent may hurry with."""
    with suppress(PermissionError):  # it leads a group already
        os.setsid()
    os.setpriority(os.PRIO_PROCESS, 0, max(0, os.getpriority(os.PRIO_PROCESS, 0)))


def present() -> Scheduling:
    """What the calling thread runs with."""
    return Scheduling(os.getpriority(os.PRIO_PROCESS, 0), _slice_ms())


def _set(nice: int) -> None:
    """Raises OSError."""
    size = _ATTRIBUTES.size
    _call(
        _SETATTR,
        _ATTRIBUTES.pack(size, os.SCHED_OTHER, _RESET_ON_FORK, nice, 0, _SLICE_NS, 0, 0),
        0,
    )


def _slice_ms() -> float | None:
    attributes = bytearray(_ATTRIBUTES.size)
    try:
        _call(_GETATTR, attributes, len(attributes), 0)
    except OSError:
        return None
    runtime: int = _ATTRIBUTES.unpack(attributes)[5]
    return runtime / 1e6 or None


def _session_nice() -> int | None:
    try:
        return int(_AUTOGROUP.read_text(encoding="ascii").split()[-1])
    except (OSError, ValueError, IndexError):
        return None


def _call(numbers: dict[str, int], attributes: bytes | bytearray, *more: int) -> None:
    """Call the kernel for the calling thread. Raises OSError."""
    number = numbers.get(platform.machine())
    if number is None or sys.maxsize < 1 << 32:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    try:
        # Where memory may not be written and executed, an old libffi cannot be loaded.
        import ctypes  # noqa: PLC0415
    except (ImportError, MemoryError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    buffer = (ctypes.c_char * len(attributes)).from_buffer_copy(attributes)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, 0, buffer, *more) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if isinstance(attributes, bytearray):
        attributes[:] = buffer.raw
