"""The benchmarks' own C programs, compiled once for each content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.progress import progress
from bench.settings import Places
from testbed.command import run

_OPTIONS = ("-O2", "-std=gnu11", "-Wall", "-Wextra")


def compiled(places: Places, source: Path, *libraries: str) -> Path:
    """The program made of one C file. Raises Failed."""
    words = (*_OPTIONS, *(f"-l{library}" for library in libraries))
    digest = hashlib.sha256(source.read_bytes() + " ".join(words).encode()).hexdigest()[:12]
    program = places.programs / f"{source.stem}-{digest}"
    if not program.exists():
        progress(f"compiling {source.name}")
        places.programs.mkdir(parents=True, exist_ok=True)
        for older in places.programs.glob(f"{source.stem}-*"):
            older.unlink()
        unfinished = program.with_suffix(".unfinished")
        run(["gcc", "-o", unfinished, source, *words], limit=120)
        unfinished.rename(program)
    return program
