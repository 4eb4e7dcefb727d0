"""Whether the host forwards packets, and turning it on where that is allowed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from nrs.config.tun_addresses import BOTH, Families

log = logging.getLogger(__name__)

_ROOT = Path("/proc/sys/net")
_IPV4, _IPV6 = _ROOT / "ipv4/ip_forward", _ROOT / "ipv6/conf/all/forwarding"


def settings(interfaces: Iterable[str], families: Families = BOTH) -> list[Path]:
    """What has to be on, the whole host's first; an interface may be exempt by one of its own."""
    own = [_ROOT / f"ipv4/conf/{name}/forwarding" for name in interfaces]
    return [
        *([_IPV4] if 4 in families else []),
        *([_IPV6] if 6 in families else []),
        *(own if 4 in families else []),
    ]


def those_off(interfaces: Iterable[str], families: Families = BOTH) -> list[Path]:
    """The settings that are off, of interfaces only where they differ from the host's."""
    off = [path for path in settings(interfaces, families) if is_on(path) is False]
    return [path for path in off if path in (_IPV4, _IPV6)] if _IPV4 in off else off


def is_on(path: Path) -> bool | None:
    """Whether a setting is on; None for what the host does not have."""
    try:
        return path.read_text(encoding="ascii").strip() != "0"
    except OSError:
        return None


def turn_on(path: Path) -> None:
    """Raises OSError, where the host does not allow it."""
    path.write_text("1\n", encoding="ascii")


def name_of(path: Path) -> str:
    """As sysctl(8) knows it; a slash stands for a dot where an interface has one in its name."""
    parts = path.relative_to(_ROOT.parent).parts
    dotted = any("." in part for part in parts)
    return "/".join(parts) if dotted else ".".join(parts)


def enable(interfaces: Iterable[str], families: Families = BOTH) -> list[Path]:
    """Turn forwarding on; the settings that were off and are on now.

    One that may not be changed is left to who keeps them (`HostKeeper`).
    """
    for path in settings((), families):
        if is_on(path) is None:
            log.warning("%s does not exist: this family is not forwarded", path)
    changed = []
    for path in those_off(interfaces, families):
        try:
            turn_on(path)
            changed.append(path)
        except OSError:
            continue
    return changed


def advice(path: Path, error: Exception) -> str:
    """What an operator has to do for a setting that may not be turned on, and why."""
    why = error.strerror if isinstance(error, OSError) else error
    return f"sysctl {name_of(path)}=1 ({why})"


def restore(changed: list[Path]) -> None:
    """Turn off again what `enable` turned on; another value is somebody else's and stays."""
    for path in reversed(changed):
        try:
            if path.read_text(encoding="ascii").strip() == "1":
                path.write_text("0\n", encoding="ascii")
        except FileNotFoundError:
            continue  # of an interface that is gone
        except OSError as error:
            log.warning("cannot restore %s: %s", path, error)
