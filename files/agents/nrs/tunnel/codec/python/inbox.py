"""Writing what a train is opened into."""

from __future__ import annotations

import errno
import os

from nrs.tunnel.codec.carrier import AUTHENTIC, BAD_TAG, DATA, ELSEWHERE, Totals
from nrs.tunnel.codec.python.opening import Assembly, PythonOpener
from nrs.tunnel.codec.python.sieve import PythonSieve
from nrs.tunnel.codec.python.socket_path import PythonIntake, PythonPath
from nrs.tunnel.udp_socket import UdpSocket

_NO_ROOM = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM})


class PythonInbox:
    """See `codec.carrier.Inbox`."""

    def __init__(self, *, udp_offload: bool, sieve: PythonSieve | None = None) -> None:
        self._sieve = sieve
        self.totals = Totals()
        self.at = self.size = 0
        self._assembly = Assembly(udp_offload=udp_offload)

    def age(self) -> None:
        self._assembly.joiner.age()

    def carry(
        self,
        opener: PythonOpener,
        path: PythonPath,
        _: UdpSocket | None,
        intake: PythonIntake,
        start: int,
        fd: int,
    ) -> int:
        self.at, intake.start = intake.length, start
        candidate = path.candidate
        connected = path.peer is None and candidate is None
        there = candidate is not None and intake.peer == candidate.peer
        elsewhere = not connected and intake.peer != path.peer and not there
        guard = self._sieve if elsewhere else None
        if guard is not None and not guard.lets(-(-(intake.length - start) // intake.each)):
            return 0
        opened = self._assembly.open(opener, intake.train, intake.each, start, intake.ecn)
        totals = self.totals
        if self._assembly.frames:
            full, refused = self._write(fd)
            totals.full += full
            totals.refused += refused
        totals.datagrams += opened.datagrams
        totals.packets += opened.packets
        totals.bytes += opened.bytes
        result = int(opened.stop)
        came = intake.peer, intake.local
        if opened.newest and not connected and came != (path.peer, path.local):
            result |= ELSEWHERE
        if opened.authentic:
            result |= AUTHENTIC
        if opened.data:
            result |= DATA
        if any(opened.drops):
            tag, replay, source, malformed = opened.drops
            totals.tag += tag
            totals.replay += replay
            totals.source += source
            totals.malformed += malformed
            if tag:
                result |= BAD_TAG
            if guard is not None and not opened.newest:
                guard.charge(tag + replay)
        self.at, self.size = opened.at, opened.size
        return result

    def _write(self, fd: int) -> tuple[int, int]:
        full = refused = 0
        writev = os.writev
        for frame in self._assembly.frames:
            try:
                writev(fd, frame)
            except OSError as error:
                if error.errno in _NO_ROOM:
                    full += 1
                else:
                    refused += 1
        self._assembly.frames = []
        return full, refused
