# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control socket of an agent on this host: a line of JSON each way."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

_RUNTIME_DIRECTORY = Path("/run/network-routing-system")
_TIMEOUT_S = 5.0


def status(unit: str) -> dict[str, Any] | None:
    """What `nrs status --json` shows of an agent; None where it does not answer.

    `NRS_RUNTIME_DIRECTORY` moves the socket, as it does for the agent.
    """
    base = os.environ.get("NRS_RUNTIME_DIRECTORY")
    path = (Path(base) if base else _RUNTIME_DIRECTORY / unit) / (unit + ".sock")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_TIMEOUT_S)
            sock.connect(str(path))
            sock.sendall(b'{"command": "status"}\n')
            with sock.makefile("rb") as answer:
                result = json.loads(answer.readline())["result"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if isinstance(result, dict) else None
