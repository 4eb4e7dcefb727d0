"""Build the C codec as the module `_nrs_codec`: cffi's API mode, one binary for every Python 3.

Where the compiler finds ipsec-mb with the functions that are used of it, its static library becomes
a part of the binary, and none of its symbols is seen outside; `NRS_BUILD_IPSEC_MB=0` in the
environment leaves it out.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
HEADERS = ("crypto/nrs_crypto.h", "nrs_codec.h", "nrs_sieve.h", "nrs_carrier.h")
SOURCES = sorted(f"codec/{path.relative_to(HERE)}" for path in HERE.glob("**/*.c"))
OPTIONS = ["-O2", "-std=c11", "-Wall", "-Wextra"]
IPSEC_MB = "-DNRS_IPSEC_MB"
IPSEC_MB_LINK = [
    "-l:libIPSec_MB.a",
    "-Wl,--exclude-libs,libIPSec_MB.a",
    "-Wl,-z,noexecstack",
    "-Wl,-s",
]


def declarations(header: str) -> str:
    """The header without what only a C compiler reads."""
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


def has_ipsec_mb() -> bool:
    """Whether the provider compiles and links here, as it does in the codec."""
    if os.environ.get("NRS_BUILD_IPSEC_MB") == "0":
        return False
    names = ("nrs_ipsec_mb", "nrs_ipsec_mb_aead", "nrs_libcrypto", "nrs_libcrypto_aead")
    sources = [HERE / "crypto" / f"{name}.c" for name in names]
    with tempfile.TemporaryDirectory() as temporary:
        command = [
            *(
                *shlex.split(os.environ.get("CC", "cc")),
                *OPTIONS,
                "-Werror",
                IPSEC_MB,
                "-shared",
                "-fPIC",
                "-Wl,-z,defs",
            ),
            *(*sources, *IPSEC_MB_LINK, "-lcrypto", "-o", Path(temporary) / "provider.so"),
            *(
                word
                for name in ("CFLAGS", "LDFLAGS")
                for word in shlex.split(os.environ.get(name, ""))
            ),
        ]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            return False


ffibuilder = FFI()
for name in HEADERS:
    ffibuilder.cdef(declarations((HERE / name).read_text(encoding="utf-8")))
with_ipsec_mb = has_ipsec_mb()
ffibuilder.set_source(
    "_nrs_codec",
    '#include "nrs_carrier.h"',
    sources=SOURCES,
    include_dirs=["codec"],
    libraries=["crypto"],
    extra_compile_args=[*OPTIONS, *([IPSEC_MB] if with_ipsec_mb else [])],
    extra_link_args=IPSEC_MB_LINK if with_ipsec_mb else [],
    py_limited_api=True,
)
