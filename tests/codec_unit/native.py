"""Building the C codec with what drives it, as C alone: no Python header, no cffi."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
CODEC = HERE.parent.parent / "files" / "agents" / "codec"
SOURCES = tuple(sorted(CODEC.glob("**/*.c")))
WITH_IPSEC_MB = ("-DNRS_IPSEC_MB", "-l:libIPSec_MB.a")
"""With which the codec has that provider beside libcrypto."""
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
_LIMIT_S = 100
# A finding ends the program; small caches, so that exact-size buffers stay cheap.
_ENVIRONMENT = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:quarantine_size_mb=16:malloc_context_size=8",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; output and errors together, as text."""
    if shutil.which(command[0]) is None:
        raise AssertionError(f"{command[0]} is not installed; bin/test does that")
    return subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **_ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_LIMIT_S,
        check=False,
    )


def build(compiler: str, program: str, into: Path, *flags: str) -> Path:
    """A program of this directory together with the codec; fails with the compiler's words."""
    built = into / f"{program}_{compiler}"
    libraries = [flag for flag in flags if flag.startswith("-l")]
    flags = tuple(flag for flag in flags if not flag.startswith("-l"))
    ended = run(
        compiler,
        *("-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", *flags),
        *("-I", CODEC, HERE / f"{program}.c", *SOURCES, *libraries, "-lcrypto", "-o", built),
    )
    assert ended.returncode == 0, ended.stdout
    return built


def providers() -> dict[str, tuple[str, ...]]:
    """The flags of each build that this machine can make, by the provider that it adds or lacks."""
    ended = run(
        "gcc", "-fsyntax-only", "-Werror", WITH_IPSEC_MB[0], CODEC / "crypto" / "nrs_ipsec_mb.c"
    )
    return {"libcrypto": (), **({} if ended.returncode else {"ipsec_mb": WITH_IPSEC_MB})}
