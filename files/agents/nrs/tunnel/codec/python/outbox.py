"""Sending what frames are sealed into."""

from __future__ import annotations

from nrs.tunnel.codec.carrier import Totals
from nrs.tunnel.codec.python.frames import PythonFrames
from nrs.tunnel.codec.python.sealing import Datagrams, PythonSealer, Send
from nrs.tunnel.codec.python.socket_path import PythonCandidate, PythonPath


class PythonOutbox:
    """See `codec.carrier.Outbox`."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._datagrams = Datagrams()

    def carry(
        self, sealer: PythonSealer, path: PythonPath, frames: PythonFrames, first: int, end: int
    ) -> int:
        totals, datagrams, too_long = self.totals, self._datagrams, 0
        while first < end:
            datagrams.clear()
            sealed = datagrams.seal(sealer, frames, first, end)
            totals.batches += sealed.batches
            totals.batched += sealed.batched
            totals.malformed += sealed.malformed
            too_long |= sealed.too_long
            before = totals.full
            self._send_all(path)
            # Of what the socket had no room for, packets and bytes are left out by their share.
            lost, of = totals.full - before, sealed.datagrams or 1
            totals.packets += sealed.packets - sealed.packets * lost // of
            totals.bytes += sealed.bytes - sealed.bytes * lost // of
            if sealed.next == first:  # more than a whole buffer
                totals.malformed += 1
                first += 1
            else:
                first = sealed.next
        return too_long

    def _send_all(self, path: PythonPath) -> None:
        candidate = path.candidate
        for train in self._datagrams.sends:
            rest = train if candidate is None else self._send_there(candidate, train)
            if rest.length:
                self._send(path, rest)

    def _send_there(self, candidate: PythonCandidate, train: Send) -> Send:
        """Send what may go to a candidate; the rest."""
        if candidate.challenges_only:
            return train
        left = candidate.left
        there = train.length if train.length <= left else left // train.each * train.each
        if there:
            candidate.left -= there
            self._send(candidate, train._replace(length=there))
        return train._replace(offset=train.offset + there, length=train.length - there)

    def _send(self, path: PythonPath, train: Send) -> None:
        send, totals, view = path.socket.send, self.totals, self._datagrams.view
        try:
            sent = send(view, train, path.peer, path.local, together=path.together)
        except OSError:
            sent = 0
        totals.datagrams += sent
        totals.full += -(-train.length // train.each) - sent
