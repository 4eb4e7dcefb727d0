# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say, in one look, what the roles have to know about a host; changes nothing.

Usage: probe_host.py COMMAND DIRECTORY RELEASES, the agents' command as it stands on the path, where
their files are and where their releases. Prints one JSON object.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

_NOT_ON_EVERY_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def first_line(path: Path) -> str:
    """The first line of a file, or nothing."""
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return ""


def said(*command: str) -> str:
    """What a command prints, or nothing where there is no such command."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def release(command: Path) -> str:
    """The stamp of the release that the command belongs to, or nothing."""
    return first_line(command.resolve().parent.parent / "release")


def protocol(place: Path) -> int:
    """Of the tunnels of a release; those of the first protocol do not say."""
    return int(first_line(place / "protocol") or 1)


def firewall() -> str:
    """What kind of firewall would drop packets to a port that nobody has opened."""
    if said("ufw", "status").startswith("Status: active"):
        return "ufw"
    if "policy drop" in said("nft", "list", "chain", "inet", "filter", "input"):
        return "nftables"
    return "none"


def accepted_advertisements() -> dict[str, str]:
    """The accept_ra of each interface."""
    interfaces = Path("/proc/sys/net/ipv6/conf")
    return {path.parent.name: first_line(path) for path in interfaces.glob("*/accept_ra")}


def names(directory: Path) -> list[str]:
    """The names in a directory, if there is one."""
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


def main() -> None:
    """Print what there is."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{_NOT_ON_EVERY_PATH}"
    command, releases = Path(sys.argv[1]), Path(sys.argv[3])
    unfinished = releases.parent / "unfinished"
    # What was begun and not ended is undone first.
    begun = first_line(unfinished / "from")
    found = {
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "interpreter": str(Path(sys.executable).resolve()),
        "library": sysconfig.get_path("stdlib"),
        "machine": platform.machine(),
        "libc": platform.libc_ver()[0],
        "has_venv": importlib.util.find_spec("venv") is not None,
        "has_systemd": Path("/run/systemd/system").is_dir(),
        "has_tun": Path("/dev/net/tun").exists(),
        "has_conntrack": Path("/proc/sys/net/netfilter/nf_conntrack_max").exists(),
        "has_nft": bool(said("nft", "--version")),
        "release": release(command),
        "releases": names(releases),
        "protocol": protocol(releases / begun if begun else command.resolve().parent.parent),
        "unfinished": first_line(unfinished / "back_to") or begun,
        "files": names(Path(sys.argv[2])),
        "firewall": firewall(),
        "interfaces": [name for _index, name in socket.if_nameindex()],
        "accept_ra": accepted_advertisements(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
