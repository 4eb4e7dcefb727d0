# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the deployment's signing key and its tokens, on the control node, by the agents' own code.

Takes one JSON object on its standard input, so that a signing key is in no list of processes:
{"directory", "cache", "source", "signing_key"}; the key is one from a vault, or empty for the
one in the directory. "cache" is where build_wheelhouse.py keeps wheels, and "source" holds the
agents. Prints a JSON object.

keys    makes what is missing, or with "check": true only says so: {"changed", "public_keys"}.
lacks   takes what is "wanted" (role, id, urls, tun_ipv4, tun_ipv6), the claims of the tokens that
        are "held" (null: no file) and "renew_days": {"lacks": [WHY, ...]}.
create  makes what is "wanted", with an end after "lifetime" seconds if given: {"tokens": [...]}.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import build_wheelhouse

_DAY_S = 86400.0
_NEEDED = ("pyjwt", "click", "typing_extensions")
"""The agents' libraries in pure Python; cryptography is there where ansible-core is."""
_LOCKED = re.compile(r"^(?:pyjwt|click|typing-extensions)==.*\n(?:    .*\n)+", re.MULTILINE)


def libraries(source: Path, cache: Path) -> list[Path]:
    """The locked wheels of _NEEDED: those of any kind of host, or fetched once.

    Raises BuildError, OSError.
    """
    lock = source / "requirements.lock"
    locked = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    for wheels in sorted((cache / "downloads").glob(f"{locked}-*")):
        found = _pure(wheels)
        if len(found) == len(_NEEDED):
            return found
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=cache, suffix=".lock", encoding="utf-8") as needed:
        needed.writelines(_LOCKED.findall(lock.read_text(encoding="utf-8")))
        needed.flush()
        here = build_wheelhouse.own_target()
        return _pure(build_wheelhouse.download(Path(needed.name), here, cache))


def _pure(wheels: Path) -> list[Path]:
    return [path for name in _NEEDED for path in sorted(wheels.glob(f"{name}-*-none-any.whl"))]


def keys(deployment: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The public keys, and whether anything had to be made."""
    from nrs.cli import signing_keys  # noqa: PLC0415
    from nrs.identity.keys import public_text  # noqa: PLC0415

    before = deployment.public_keys_file.read_text() if deployment.public_keys_file.exists() else ""
    if not given.get("check"):
        text = signing_keys.settle(deployment)
    else:
        text = public_text(deployment.public_keys()) if deployment.has_signing_key else ""
    return {"changed": not text or text != before, "public_keys": text}


def lacks(deployment: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Why the tokens on a host have to be made anew."""
    from nrs.identity import renewal  # noqa: PLC0415
    from nrs.identity.audience import audience_of  # noqa: PLC0415
    from nrs.identity.credential import stated  # noqa: PLC0415

    if given["held"] is None or not deployment.has_signing_key:
        return {"lacks": ["there are none"]}
    fields = _fields(given["wanted"])
    audiences = tuple(audience_of(url) for url in given["wanted"]["urls"])
    found = renewal.lacks(
        renewal.Wanted(audiences=audiences, **fields),
        [stated(claims) for claims in given["held"]],
        deployment.revocations(),
        time.time(),
        float(given["renew_days"]) * _DAY_S,
    )
    return {"lacks": found}


def create(deployment: Any, given: dict[str, Any]) -> dict[str, Any]:
    """A token for each of the services."""
    from nrs.cli.deployment import Failed  # noqa: PLC0415
    from nrs.identity import issue  # noqa: PLC0415

    fields, lifetime, now = _fields(given["wanted"]), given.get("lifetime"), time.time()
    made = [
        issue.credential(
            url=url, now=now, random=secrets.token_bytes, lifetime=lifetime or None, **fields
        )
        for url in given["wanted"]["urls"]
    ]
    key = deployment.signing_key()
    with deployment.ledger(now) as ledger:
        if made and deployment.revocations().refuses(made[0]):
            raise Failed(f"{made[0].id} is revoked until later than this machine's clock says")
        ledger.add(made)
    return {"tokens": [issue.token(credential, key) for credential in made]}


def _fields(wanted: dict[str, Any]) -> dict[str, Any]:
    from nrs.identity.credential import Role  # noqa: PLC0415

    addresses = {
        name: ipaddress.ip_interface(str(wanted[name])).ip if wanted.get(name) else None
        for name in ("tun_ipv4", "tun_ipv6")
    }
    return {"role": Role(wanted["role"]), "id": str(wanted["id"]), **addresses}


_COMMANDS = {"keys": keys, "lacks": lacks, "create": create}


def main() -> int:
    """Do what the command line says."""
    given = json.load(sys.stdin)
    source = Path(given["source"])
    try:
        wheels = libraries(source, Path(given["cache"]).expanduser())
    except (build_wheelhouse.BuildError, OSError) as error:
        print(f"no libraries to make tokens with: {error}", file=sys.stderr)
        return 1
    sys.path[:0] = [str(source), *map(str, wheels)]
    from nrs.cli.deployment import Deployment, Failed  # noqa: PLC0415

    deployment = Deployment(Path(given["directory"]).expanduser(), given["signing_key"] or None)
    try:
        result = _COMMANDS[sys.argv[1]](deployment, given)
    except Failed as error:
        print(error.message, file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"tokens: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
