"""The C codec of the checkout, compiled outside of it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from harness import process
from harness.report import Unusable
from harness.settings import AGENTS, Cache, environment
from harness.venvs import Venv

_BUILD_LIMIT_S = 300
_IPSEC_MB = Path("/usr/include/intel-ipsec-mb.h")
"""What the module is built with where it is there."""


def ensure(cache: Cache, venv: Venv) -> Path:
    """The directory with the module, which every Python 3 can load; raises Unusable."""
    sources = sorted([AGENTS / "setup.py", *(AGENTS / "codec").rglob("*.*")])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    digest.update(bytes([_IPSEC_MB.exists()]))
    place = cache.root / "codec" / digest.hexdigest()[:12]
    if any(place.glob("_nrs_codec*.so")):
        return place
    shutil.rmtree(place.parent, ignore_errors=True)
    temporary = place / "objects"
    ended = process.run(
        [
            *(venv.python, "setup.py", "--quiet", "build_ext"),
            *("--build-lib", place, "--build-temp", temporary),
        ],
        cwd=AGENTS,
        env=environment(cache, venv.bin, NRS_BUILD_CODEC="1"),
        limit=_BUILD_LIMIT_S,
    )
    if not ended.ok:
        raise Unusable("the C codec does not compile")
    return place
