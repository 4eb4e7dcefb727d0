"""The C codec is built only where it is asked for: without it the wheel is pure Python."""

from __future__ import annotations

import os

from setuptools import setup

if os.environ.get("NRS_BUILD_CODEC") == "1":
    setup(
        setup_requires=["cffi>=1.16"],
        cffi_modules=["codec/build.py:ffibuilder"],
        options={"bdist_wheel": {"py_limited_api": "cp310"}},
    )
else:
    setup()
