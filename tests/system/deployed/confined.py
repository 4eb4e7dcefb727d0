"""Run inside an agent's unit: tries what an agent that was taken over might, and says what worked.

Prints one JSON object on a line of its own, name to whether it worked.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

STATE = Path(os.environ["STATE_DIRECTORY"])


def written(path: str) -> Callable[[], object]:
    return lambda: Path(path).write_text("x", encoding="ascii")


def opened(path: str) -> Callable[[], object]:
    return lambda: os.close(os.open(path, os.O_RDWR))


def ran(*command: str) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, capture_output=True)


def met(family: int, kind: int) -> Callable[[], object]:
    return lambda: socket.socket(family, kind).close()


def brought_along(directory: str | Path) -> Callable[[], object]:
    program = Path(directory, "brought_along")

    def attempt() -> None:
        shutil.copy("/bin/true", program)
        program.chmod(0o700)
        subprocess.run([str(program)], check=True)

    return attempt


def make_a_namespace() -> None:
    new_user = 0x10000000
    if ctypes.CDLL(None, use_errno=True).unshare(new_user):
        raise OSError(ctypes.get_errno(), "unshare")


TRIES: dict[str, Callable[[], object]] = {
    "write /etc": written("/etc/nrs_probe"),
    "write its own program": written("/opt/network-routing-system/nrs_probe"),
    "write its configuration": written("/etc/network-routing-system/nrs_probe"),
    "write its state": written(f"{STATE}/nrs_probe"),
    "open /dev/kmsg": opened("/dev/kmsg"),
    "open /dev/fuse": opened("/dev/fuse"),
    "open /dev/net/tun": opened("/dev/net/tun"),
    "open /dev/null": opened("/dev/null"),
    "AF_INET6": met(socket.AF_INET6, socket.SOCK_DGRAM),
    "AF_NETLINK": met(socket.AF_NETLINK, socket.SOCK_RAW),
    "AF_PACKET": met(socket.AF_PACKET, socket.SOCK_RAW),
    "AF_ALG": met(socket.AF_ALG, socket.SOCK_SEQPACKET),
    "AF_VSOCK": met(socket.AF_VSOCK, socket.SOCK_STREAM),
    "run sh": ran("/bin/sh", "-c", "true"),
    "run bash": ran("/bin/bash", "-c", "true"),
    "run sh by the loader": ran("/lib64/ld-linux-x86-64.so.2", "/bin/sh", "-c", "true"),
    "run what was brought to its state": brought_along(STATE),
    "run what was brought to its log": brought_along(os.environ["LOGS_DIRECTORY"]),
    "run what was brought to /run": brought_along(os.environ["RUNTIME_DIRECTORY"]),
    "run what was brought to /tmp": brought_along("/tmp"),
    "run what was brought to /dev/shm": brought_along("/dev/shm"),
    "run its interpreter": ran(sys.executable, "-c", ""),
    "run nft": ran("/usr/sbin/nft", "--version"),
    "map memory to write and run": lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ),
    "become root": lambda: os.setuid(0),
    "make a namespace": make_a_namespace,
}


def main() -> None:
    """Try all."""
    worked = {}
    for name, attempt in TRIES.items():
        try:
            attempt()
        except (OSError, subprocess.CalledProcessError):
            worked[name] = False
        else:
            worked[name] = True
    print(json.dumps(worked), flush=True)


if __name__ == "__main__":
    main()
