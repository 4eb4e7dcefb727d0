"""The bill of materials of a release: requirements.lock with its hashes, and the codec's library.

Usage: sbom.py VERSION <requirements.lock. Prints CycloneDX 1.6 as JSON, equal for equal input.
https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

_PINNED = re.compile(r"([A-Za-z0-9._-]+)==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NAME = "network-routing-agents"
_IPSEC_MB: dict[str, Any] = {
    "type": "library",
    "bom-ref": "pkg:github/intel/intel-ipsec-mb",
    "name": "intel-ipsec-mb",
    "purl": "pkg:github/intel/intel-ipsec-mb",
    "description": "In the codec in C where the control node that builds it has it: its version.",
    "scope": "optional",
    "licenses": [{"license": {"id": "BSD-3-Clause"}}],
}


def components(lock: str) -> list[dict[str, Any]]:
    """Each pinned package. Raises ValueError for a line that pins nothing, or without a hash."""
    found = []
    for entry in re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n?", "", lock)).splitlines():
        if not entry.strip():
            continue
        pinned, hashes = _PINNED.match(entry), _HASH.findall(entry)
        if pinned is None or not hashes:
            raise ValueError(f"requirements.lock: not pinned with a hash: {entry.split()[0]}")
        name, version = pinned.groups()
        purl = f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{version}"
        found.append(
            {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": version,
                "purl": purl,
                # One for each file of the package; an installation takes one of them.
                "hashes": [{"alg": "SHA-256", "content": text} for text in sorted(hashes)],
            }
        )
    return found


def document(lock: str, version: str) -> dict[str, Any]:
    """The whole document. Raises ValueError."""
    found = [*components(lock), _IPSEC_MB]
    agents = f"pkg:pypi/{_NAME}@{version}"
    subject = {"type": "application", "bom-ref": agents, "name": _NAME, "version": version}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**subject, "purl": agents}},
        "components": found,
        "dependencies": [
            {"ref": agents, "dependsOn": [component["bom-ref"] for component in found]},
        ],
    }


if __name__ == "__main__":
    print(json.dumps(document(sys.stdin.read(), sys.argv[1]), indent=2))
