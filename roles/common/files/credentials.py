# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the deployment's keys, tokens and certificates on the control node, by the agents' own code.

Takes one JSON object on its standard input, so that a signing key is in no list of processes:
{"directory", "cache", "source", "signing_key"}, and "ca_key" with "ca_certificate" where there is
such a CA; keys are from a vault, or empty for those in the directory. "cache" is where
build_wheelhouse.py keeps wheels, and "source" holds the agents. Prints a JSON object.

keys    makes what is missing, or with "check": true only says so: {"changed", "public_keys"}.
lacks   takes what is "wanted" (role, id, urls, tun_ipv4, tun_ipv6), the claims of the tokens that
        are "held" (null: no file) and "renew_days": {"lacks": [WHY, ...]}.
create  makes what is "wanted", with an end after "lifetime" seconds if given: {"tokens": [...]}.
revoke  ends all that the device "id" was given, as `nrs device revoke` does, or with "check": true
        only says so: {"changed"}. Its tunnels: those of an endpoint's keys "below" a generation,
        0 for a router. What is revoked already is so once more with "again": true.

authority    makes the CA if it is missing, or with "check": true only says so:
             {"changed", "authorities", "warning"}.
certificate  makes a service's certificate "wanted" (name, urls, at: the URL where it listens) if
             the one that there is is no good, or with "check": true only says so; with "own": PATH
             looks at that one, of the operator's. One that is good is made anew from "renew_days"
             before its end, if that is more than usual. "trusted" is the file of CAs, or empty
             for the public ones, and "thrown_away" why none can be made, or empty:
             {"why", "file", "certificate", "warning"}.
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
_WITH_CERTIFICATES = ("authority", "certificate")
_NO_CERTIFICATE = {"certificate": "", "warning": None}
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


def revoke(deployment: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Whether something of a device had to be revoked."""
    from nrs.cli import next_list  # noqa: PLC0415

    of, now, present = given["id"], time.time(), deployment.revocations()

    def tunnels(before: Any) -> Any:
        below = int(given["below"])
        return before.with_endpoint(of, below) if below else before.with_router(of)

    good = []
    if deployment.ledger_file.exists():
        with deployment.ledger() as ledger:
            issued = (entry.credential for entry in ledger.entries if entry.is_good(now))
            good = [one for one in issued if one.id == of and not present.refuses(one)]
    # What was lost with a ledger is known by the list alone.
    due = bool(good) or bool(given["again"]) or of not in present.issued_before
    due = due or tunnels(present.tunnels) != present.tunnels
    if due and not given.get("check"):
        asked = {"serials": (), "id_": of, "issued_before": now, "tunnels": tunnels}
        next_list.revoke(deployment, asked)
    return {"changed": due}


def authority(deployment: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Whom devices trust, and whether a CA had to be made."""
    from nrs.cli import certificates  # noqa: PLC0415
    from nrs.identity import certificate  # noqa: PLC0415
    from nrs.identity.authority import text  # noqa: PLC0415

    missing, now = not deployment.has_ca_key, time.time()
    if missing and not given.get("check"):
        certificates.new_authority(deployment, now)
    bundle = certificates.authorities(deployment)
    if bundle is None:
        return {"changed": True, "authorities": "", "warning": None}
    return {
        "changed": missing,
        "authorities": text(bundle.certificates),
        "warning": certificate.warning(bundle, now),
    }


def certify(deployment: Any, given: dict[str, Any]) -> dict[str, Any]:
    """A service's certificate, which everybody who trusts "trusted" takes for its URLs."""
    from nrs.cli import certificates  # noqa: PLC0415
    from nrs.cli.deployment import Failed  # noqa: PLC0415
    from nrs.identity import certificate  # noqa: PLC0415

    wanted, now, why = given["wanted"], time.time(), None
    if given["own"]:
        file = Path(given["own"]).expanduser().absolute()
    else:
        file = deployment.certificates.absolute() / f"{wanted['name']}.pem"
        called = [*wanted["urls"], wanted["at"]]
        if given.get("check") and not deployment.has_ca_key:
            why = "it is of another CA" if file.exists() else certificates.MISSING
            return {"why": why, "file": str(file), **_NO_CERTIFICATE}
        ca = certificates.present_authority(deployment, now)
        why = certificates.why_anew(file, ca, called, now)
        if why is None:
            left = certificate.ends(certificates.read(file).first) - now
            days = float(given.get("renew_days", 0))
            why = f"it ends within {days:g} days" if left <= days * _DAY_S else None
        if why is not None and given.get("thrown_away"):
            raise Failed(
                f"{file}: not made ({why}), as its directory {given['thrown_away']}: give the"
                " service a certificate of your own, or set nrs_secrets_directory or"
                " nrs_secrets_kept"
            )
        if why is not None and given.get("check"):
            return {"why": why, "file": str(file), **_NO_CERTIFICATE}
        if why is not None:
            certificates.make(deployment, ca, file, called, now)
    bundle = certificates.read(file)
    if deployment.given_ca is not None:
        trusted = certificates.authorities(deployment)
    else:
        trusted = given["trusted"] and certificates.read(Path(given["trusted"]).expanduser())
    for url in wanted["urls"]:
        wrong = certificate.problem(bundle, now=now, authorities=trusted or None, url=url)
        if wrong is not None:
            raise Failed(wrong)
    return {
        "why": why,
        "file": str(file),
        "certificate": file.read_text(encoding="ascii"),
        "warning": certificate.warning(bundle, now),
    }


def _fields(wanted: dict[str, Any]) -> dict[str, Any]:
    from nrs.identity.credential import Role  # noqa: PLC0415

    addresses = {
        name: ipaddress.ip_interface(str(wanted[name])).ip if wanted.get(name) else None
        for name in ("tun_ipv4", "tun_ipv6")
    }
    return {"role": Role(wanted["role"]), "id": str(wanted["id"]), **addresses}


_COMMANDS = {
    "keys": keys,
    "lacks": lacks,
    "create": create,
    "revoke": revoke,
    "authority": authority,
    "certificate": certify,
}


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
    from cryptography import x509  # noqa: PLC0415
    from nrs.cli.deployment import Deployment, Failed  # noqa: PLC0415

    if sys.argv[1] in _WITH_CERTIFICATES and not hasattr(x509.Certificate, "not_valid_after_utc"):
        print("the control node's Python needs cryptography 42 or newer", file=sys.stderr)
        return 1
    directory, ca = Path(given["directory"]).expanduser(), given.get("ca_key")
    given_ca = (ca, given["ca_certificate"]) if ca else None
    deployment = Deployment(directory, given["signing_key"] or None, given_ca)
    try:
        result = _COMMANDS[sys.argv[1]](deployment, given)
    except Failed as error:
        print(error.message, file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
