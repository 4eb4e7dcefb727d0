"""Virtual environments with pinned content, made once for each content and interpreter."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import process
from harness.interpreters import Interpreter
from harness.report import Unusable
from harness.settings import Cache, environment

_INSTALL_LIMIT_S = 600
_COMPLETE = ".complete"


@dataclass(frozen=True)
class Venv:
    """A virtual environment that is complete."""

    root: Path
    interpreter: Interpreter

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"


def ensure(cache: Cache, name: str, interpreter: Interpreter, requirements: Sequence[Path]) -> Venv:
    """The venv of these requirement files, installed in their order; raises Unusable."""
    digest = hashlib.sha256(str(interpreter.path).encode())
    for path in requirements:
        digest.update(path.read_bytes())
    root = cache.venvs / f"{name}-{interpreter.version}-{digest.hexdigest()[:12]}"
    venv = Venv(root, interpreter)
    if (root / _COMPLETE).exists():
        return venv
    _remove_older(root, f"{name}-{interpreter.version}-*")
    print(f"installing the {name} environment for Python {interpreter.version}", flush=True)
    _do(cache, [interpreter.path, "-m", "venv", "--clear", root])
    for path in requirements:
        _do(cache, [venv.python, "-m", "pip", "install", "-qq", "--requirement", path])
    (root / _COMPLETE).touch()
    return venv


def _remove_older(root: Path, pattern: str) -> None:
    for old in root.parent.glob(pattern):
        shutil.rmtree(old)


def _do(cache: Cache, command: Sequence[str | Path]) -> None:
    ended = process.run(command, cwd=Path("/"), env=environment(cache), limit=_INSTALL_LIMIT_S)
    if not ended.ok:
        raise Unusable(f"failed: {' '.join(map(str, command))}")
