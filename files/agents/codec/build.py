"""Build the C codec as the module `_nrs_codec`: cffi's API mode, one binary for every Python 3."""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
HEADERS = [
    (HERE / name).read_text(encoding="utf-8")
    for name in ("nrs_codec.h", "nrs_sieve.h", "nrs_carrier.h")
]


def declarations(header: str) -> str:
    """The header without what only a C compiler reads."""
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


ffibuilder = FFI()
for header in HEADERS:
    ffibuilder.cdef(declarations(header))
ffibuilder.set_source(
    "_nrs_codec",
    '#include "nrs_carrier.h"',
    sources=["codec/nrs_codec.c", "codec/nrs_sieve.c", "codec/nrs_carrier.c"],
    include_dirs=["codec"],
    libraries=["crypto"],
    extra_compile_args=["-O2", "-std=c11", "-Wall", "-Wextra"],
    py_limited_api=True,
)
