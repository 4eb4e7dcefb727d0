"""Memory that outlives the process: a memfd, which systemd keeps with the other descriptors."""

from __future__ import annotations

import logging
import mmap
import os

log = logging.getLogger(__name__)

MAGIC_BYTES = 64
_NO_EXEC_SEAL = 0x0008
"""MFD_NOEXEC_SEAL, since Linux 6.3."""


class MemoryFile:
    """`size` bytes, all zero at first, behind MAGIC_BYTES that name their layout.

    Sparse: what has never been written takes no memory. Kept out of core dumps.
    """

    def __init__(self, layout: str, size: int, inherited: int | None = None) -> None:
        """Map what an earlier process has left, where its layout is the same. Raises OSError."""
        magic = layout.encode().ljust(MAGIC_BYTES, b"\0")
        whole = MAGIC_BYTES + size
        self.is_inherited = inherited is not None and _holds(inherited, magic, whole)
        if inherited is not None and not self.is_inherited:
            log.warning("memory of an earlier run is not %r: what it knew is lost", layout)
            os.close(inherited)
        self.fd = (
            inherited
            if inherited is not None and self.is_inherited
            else _create(layout, magic, whole)
        )
        mapping = mmap.mmap(self.fd, whole)
        mapping.madvise(mmap.MADV_DONTDUMP)
        self.view = memoryview(mapping)[MAGIC_BYTES:]

    def used_until(self) -> int:
        """Where the last page that was ever written ends."""
        end = at = 0
        while True:
            try:
                at = os.lseek(self.fd, at, os.SEEK_DATA)
            except OSError:  # ENXIO: no data from there on
                return max(0, min(end - MAGIC_BYTES, len(self.view)))
            end = at = os.lseek(self.fd, at, os.SEEK_HOLE)

    def close(self) -> None:
        """Close `fd`; the memory is unmapped once nobody refers to it."""
        os.close(self.fd)


def _create(layout: str, magic: bytes, size: int) -> int:
    name = layout.replace(" ", "-")
    try:
        fd = os.memfd_create(name, os.MFD_CLOEXEC | _NO_EXEC_SEAL)
    except OSError:
        fd = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        os.truncate(fd, size)
        os.pwrite(fd, magic, 0)
    except OSError:
        os.close(fd)
        raise
    return fd


def _holds(fd: int, magic: bytes, size: int) -> bool:
    try:
        return os.fstat(fd).st_size == size and os.pread(fd, MAGIC_BYTES, 0) == magic
    except OSError:
        return False
