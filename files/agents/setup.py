"""The C codec is optional: where it cannot be compiled the wheel is pure Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).resolve().parent))

if os.environ.get("NRS_BUILD_CODEC", "1") == "1":
    setup(
        cffi_modules=["codec/build.py:ffibuilder"],
        options={"bdist_wheel": {"py_limited_api": "cp310"}},
    )
else:
    setup()
