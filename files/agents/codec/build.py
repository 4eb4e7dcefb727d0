"""Build the C codec as the module `_nrs_codec`: cffi's API mode, one binary for every Python 3."""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
HEADER = (HERE / "nrs_codec.h").read_text(encoding="utf-8")


def declarations(header: str) -> str:
    """The header without what only a C compiler reads."""
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


ffibuilder = FFI()
ffibuilder.cdef(declarations(HEADER))
ffibuilder.set_source(
    "_nrs_codec",
    '#include "nrs_codec.h"',
    sources=["codec/nrs_codec.c"],
    include_dirs=["codec"],
    libraries=["crypto"],
    extra_compile_args=["-O2", "-std=c11", "-Wall", "-Wextra"],
    py_limited_api=True,
)
