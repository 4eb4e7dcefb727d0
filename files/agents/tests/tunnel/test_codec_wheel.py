"""The agents' wheel with the codec in C, built with ipsec-mb and without: what hosts get of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

AGENTS = Path(__file__).resolve().parents[2]
_SOURCES = ("NOTICE", "README.md", "codec", "nrs", "pyproject.toml", "setup.py")
_HEADER = Path("/usr/include/intel-ipsec-mb.h")
_FIRST_WITH_BURSTS = 0x10300


def has_it() -> bool:
    """Whether the library is here, and no older than what the codec uses of it."""
    if not _HEADER.exists():
        return False
    found = re.search(r"define IMB_VERSION_NUM (0x[0-9a-f]+)", _HEADER.read_text(encoding="utf-8"))
    return found is not None and int(found[1], 16) >= _FIRST_WITH_BURSTS


_BUILDS = ("0", "1") if has_it() else ("0",)
"""NRS_BUILD_IPSEC_MB of those that this machine can make."""


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Output and errors together, as text."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module", params=_BUILDS, ids={"0": "libcrypto", "1": "ipsec_mb"}.get)
def build(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def wheel(build: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    ignore = shutil.ignore_patterns("__pycache__", "_nrs_codec.*")
    for name in _SOURCES:
        source = AGENTS / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=ignore)
        else:
            shutil.copyfile(source, place / name)
    words = ("setup.py", "--quiet", "bdist_wheel", "--dist-dir", place / "dist")
    variables = {"NRS_BUILD_CODEC": "1", "NRS_BUILD_IPSEC_MB": build}
    ended = run(sys.executable, *words, cwd=place, **variables)
    assert ended.returncode == 0, ended.stdout
    (made,) = (place / "dist").glob("*-cp310-abi3-*.whl")
    return made


@pytest.fixture(scope="module")
def module(wheel: Path) -> Path:
    with zipfile.ZipFile(wheel) as files:
        (name,) = (one for one in files.namelist() if one.startswith("_nrs_codec."))
        return Path(files.extract(name, wheel.parent))


def crypto(module: Path, wanted: str) -> str:
    """What the codec of that module tags with, or the last line of why it does not."""
    program = "from nrs.tunnel import codec; print(codec.load('c').crypto.used)"
    paths = os.pathsep.join([str(module.parent), str(AGENTS)])
    ended = run(
        *(sys.executable, "-c", program), cwd=module.parent, PYTHONPATH=paths, NRS_CRYPTO=wanted
    )
    return ended.stdout.splitlines()[-1]


def test_it_is_small_and_has_the_notice(wheel: Path) -> None:
    assert wheel.stat().st_size <= 3_000_000
    with zipfile.ZipFile(wheel) as files:
        (notice,) = (one for one in files.namelist() if one.endswith("/licenses/NOTICE"))
        assert b"Copyright (c) 2012-2022, Intel Corporation" in files.read(notice)


def test_nothing_of_the_library_is_seen_or_needed(module: Path) -> None:
    names = run("nm", "-D", module, cwd=module.parent).stdout.split()
    assert "nrs_carry_in" in names
    assert [name for name in names if "mb_mgr" in name.lower() or name.startswith("imb_")] == []
    needed = run("readelf", "-dlW", module, cwd=module.parent).stdout
    assert "libcrypto" in needed
    assert "IPSec_MB" not in needed
    (stack,) = (line.split() for line in needed.splitlines() if "GNU_STACK" in line)
    assert "RWE" not in stack


def test_a_provider_can_be_forced_where_it_is(build: str, module: Path) -> None:
    assert crypto(module, "libcrypto") == "libcrypto"
    forced, free = crypto(module, "ipsec-mb"), crypto(module, "")
    if build == "1":
        assert forced.startswith("ipsec-mb ")
        assert "libcrypto" not in forced
        assert free.startswith(("libcrypto", "ipsec-mb "))
    else:
        assert free == "libcrypto"
        assert forced.endswith(
            "CodecError: NRS_CRYPTO=ipsec-mb: the codec was built without it,"
            " or this processor lacks what it needs"
        )
