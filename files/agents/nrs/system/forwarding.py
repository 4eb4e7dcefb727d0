"""Whether the host forwards packets, and turning it on where that is allowed."""

from __future__ import annotations

import logging
from pathlib import Path

log = logging.getLogger(__name__)

_SETTINGS = (
    Path("/proc/sys/net/ipv4/ip_forward"),
    Path("/proc/sys/net/ipv6/conf/all/forwarding"),
)


def enable() -> list[Path]:
    """Turn forwarding on; the settings that were off and are on now.

    A setting that may not be changed is logged with what an operator has to do.
    """
    changed = []
    for path in _SETTINGS:
        try:
            if path.read_text(encoding="ascii").strip() == "0":
                path.write_text("1\n", encoding="ascii")
                changed.append(path)
        except FileNotFoundError:
            log.warning("%s does not exist: this family is not forwarded", path)
        except OSError as error:
            name = ".".join(path.parts[3:])
            log.error("forwarding is off and cannot be turned on: sysctl %s=1 (%s)", name, error)
    return changed


def restore(changed: list[Path]) -> None:
    """Turn off again what `enable` turned on; another value is somebody else's and stays."""
    for path in changed:
        try:
            if path.read_text(encoding="ascii").strip() == "1":
                path.write_text("0\n", encoding="ascii")
        except OSError as error:
            log.warning("cannot restore %s: %s", path, error)
