"""The secret of RETRY tokens, in memory that outlives the process: a restart asks nobody again."""

from __future__ import annotations

from nrs.router.freshness import SECRET_BYTES
from nrs.tunnel.handshake import Random
from nrs.tunnel.memory_file import MemoryFile

_LAYOUT = "nrs retry secret 1"


class RetrySecret:
    """As an earlier process has left it, or a new one."""

    def __init__(self, random: Random, inherited: int | None = None) -> None:
        """Raises OSError."""
        self.file = MemoryFile(_LAYOUT, SECRET_BYTES, inherited)
        if not self.file.is_inherited:
            self.file.view[:] = random(SECRET_BYTES)

    @property
    def value(self) -> bytes:
        """32 bytes."""
        return bytes(self.file.view)
