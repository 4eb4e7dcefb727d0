# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control socket of an agent on this host: a line of JSON each way."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

_RUNTIME_DIRECTORY = Path("/run/network-routing-system")
_TIMEOUT_S = 5.0
"""For all of an answer."""
_LONGEST = 16 << 20
"""Bytes of an answer."""
_KINDS: dict[str, type | tuple[type, ...]] = {
    "release": str,
    "unit": str,
    "files_not_in_force": list,
    "reloads": int,
    "reload_error": (str, type(None)),
    "restart_needed": bool,
    "id": str,
    "problems": list,
    "tunnels": list,
}


def path(unit: str) -> Path:
    """Where an agent answers; `NRS_RUNTIME_DIRECTORY` moves it, as it does for the agent."""
    base = os.environ.get("NRS_RUNTIME_DIRECTORY")
    return (Path(base) if base else _RUNTIME_DIRECTORY / unit) / (unit + ".sock")


def status(unit: str) -> dict[str, Any] | None:
    """What `nrs status --json` shows of an agent; None where it gives no such answer.

    Who may have taken the agent over can neither hold whoever asks nor fill the memory.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_TIMEOUT_S)
            until = time.monotonic() + _TIMEOUT_S
            sock.connect(str(path(unit)))
            sock.sendall(b'{"command": "status"}\n')
            result = json.loads(_line(sock, until))["result"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return result if _is_status(result) else None


def _line(sock: socket.socket, until: float) -> bytes:
    """Raises OSError where it has not come in time, ValueError where it is too long."""
    line = bytearray()
    while not line.endswith(b"\n"):
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        more = sock.recv(1 << 16)
        line += more
        if not more or len(line) > _LONGEST:
            raise ValueError
    return bytes(line)


def _is_status(result: Any) -> bool:
    """Whether all that is there is of its kind; earlier releases do not say everything."""
    if not isinstance(result, dict):
        return False
    return (
        all(isinstance(result[key], kind) for key, kind in _KINDS.items() if key in result)
        and all(isinstance(name, str) for name in result.get("files_not_in_force", []))
        and all(_is_problem(problem) for problem in result.get("problems", []))
        and all(_is_tunnel(tunnel) for tunnel in result.get("tunnels", []))
    )


def _is_problem(problem: Any) -> bool:
    return isinstance(problem, dict) and isinstance(problem.get("what"), str)


def _is_tunnel(tunnel: Any) -> bool:
    return isinstance(tunnel, dict) and isinstance(
        tunnel.get("endpoint_id") or tunnel.get("router_id"), str
    )
