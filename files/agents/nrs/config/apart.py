"""Reads a large file in another process: parsing YAML computes for long, and here packets wait."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from nrs.config.loader import ConfigError, read_mapping

_LARGE = 16_384
"""Bytes; less is parsed in about 20 ms, which is quicker than starting a process."""
_TIMEOUT_S = 60.0
_REFUSED, _NOT_PLAIN = 2, 3


def read_apart(path: Path) -> dict[str, Any]:
    """As `read_mapping`, and raises the same."""
    try:
        large = path.stat().st_size > _LARGE
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if not large:
        return read_mapping(path)
    done = subprocess.run(
        [sys.executable, "-m", "nrs.config.apart", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode == _REFUSED:
        raise ConfigError(done.stderr.rstrip("\n"))
    if done.returncode != 0:
        return read_mapping(path)
    return dict(json.loads(done.stdout))


def main(path: Path) -> int:
    """Print the mapping as JSON; the exit status."""
    try:
        text = json.dumps(read_mapping(path))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return _REFUSED
    except (TypeError, ValueError):
        return _NOT_PLAIN  # it holds a date, for instance
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
