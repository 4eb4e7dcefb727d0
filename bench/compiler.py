"""The benchmarks' own C programs, compiled once for each content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from bench.progress import progress
from bench.settings import Places
from testbed.command import run

_OPTIONS = ("-O2", "-std=gnu11", "-Wall", "-Wextra")


def compiled(
    places: Places,
    source: Path,
    *libraries: str,
    beside: Sequence[Path] = (),
    defined: Sequence[str] = (),
) -> Path:
    """The program made of one C file and of what lies `beside`, headers too. Raises Failed."""
    others = [path for path in beside if path.suffix == ".c"]
    words = (
        *(*_OPTIONS, *(f"-D{name}" for name in defined)),
        *(f"-I{directory}" for directory in sorted({str(path.parent) for path in beside})),
        *(str(path) for path in others),
        *(f"-l{library}" for library in libraries),
    )
    text = b"".join(path.read_bytes() for path in (source, *beside))
    digest = hashlib.sha256(text + " ".join(words).encode()).hexdigest()[:12]
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
