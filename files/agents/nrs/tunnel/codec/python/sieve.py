"""Dropping what strangers send and no key proves."""

from __future__ import annotations

from collections.abc import Mapping

from nrs.tunnel import keys, wire
from nrs.tunnel.codec.python.socket_path import PythonIntake
from nrs.tunnel.codec.sieve import Sieved, Sifted
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket
from nrs.tunnel.wire import (
    HEADER_BYTES,
    HELLO_LEAST_BODY,
    LEAST_BYTES,
    OVERHEAD,
    TAG_BYTES,
    Cipher,
    KeyMode,
    Type,
)

_HELLO = wire.first_byte(Type.HELLO)
_FROM_A_ROUTER = frozenset({Type.HELLO_ACK, Type.RETRY, Type.NO_SESSION})
_TO_A_ROUTER = frozenset(map(wire.first_byte, set(Type) - _FROM_A_ROUTER))
_HANDSHAKE = frozenset(map(wire.first_byte, {Type.HELLO, *_FROM_A_ROUTER}))
_LEAST_KNOWN = 8
_LEAST_HELLO = OVERHEAD + HELLO_LEAST_BODY
_CIPHER, _MODE, _CLAIM = HEADER_BYTES + 4, HEADER_BYTES + 5, HEADER_BYTES + 128
_FIXED_CLAIM, _PREFIX = 24, 18


class PythonSieve:
    """See `codec.sieve.Sieve`."""

    def __init__(self) -> None:
        self.sifted = Sifted()
        self.worth: list[int] = []
        self.wrong_peer: SocketAddress = ()
        self._shared: dict[int, keys.TagKey] = {}
        self._devices: dict[int, keys.DeviceMaster] = {}
        self._known: set[int] = set()
        self._answers = self._wrong = 0

    def hold(self, masters: Mapping[int, bytes]) -> None:
        self._shared = {key_id: keys.hello_key(master) for key_id, master in masters.items()}
        self._devices = {
            key_id: keys.DeviceMaster(master, key_id) for key_id, master in masters.items()
        }

    def know(self, index: int) -> None:
        self._known.add(index)

    def part(self, index: int) -> None:
        self._known.discard(index)

    def allow(self, answers: int, wrong: int) -> None:
        self._answers, self._wrong = answers, wrong

    def lets(self, datagrams: int) -> bool:
        """Whether a train from elsewhere than its session's peer may be opened."""
        if not self._wrong:
            self.sifted.datagrams += datagrams
            self.sifted.rate += datagrams
        return self._wrong > 0

    def charge(self, wrong: int) -> None:
        """So many of its tags were wrong."""
        self._wrong = max(0, self._wrong - wrong)

    def receive(self, socket: UdpSocket, intake: PythonIntake, most: int) -> int:
        self.worth = []
        return self._receive(socket, intake, most, known=False)

    def receive_known(self, socket: UdpSocket, intake: PythonIntake, most: int) -> int:
        return self._receive(socket, intake, most, known=True)

    def _receive(self, socket: UdpSocket, intake: PythonIntake, most: int, *, known: bool) -> int:
        spent, sifted = 0, self.sifted
        while spent < most:
            received = intake.receive(socket)
            if received <= 0:
                return received
            if known and self._knows(intake.train):
                self.worth = []
                return Sieved.WORTH
            wrong = sifted.tag
            worth = self.sift(intake, 0)
            if sifted.tag > wrong:
                self.wrong_peer = intake.peer
            if worth:
                return Sieved.WORTH
            spent += max(1, sifted.tag - wrong)
        return Sieved.SPENT

    def _knows(self, datagram: memoryview) -> bool:
        """Whether it is of a known session, and none of a handshake."""
        if len(datagram) < _LEAST_KNOWN or datagram[0] in _HANDSHAKE:
            return False
        return int.from_bytes(datagram[4:8], "big") in self._known

    def sift(self, intake: PythonIntake, start: int) -> list[int]:
        sifted, train, each = self.sifted, intake.train, intake.each
        self.worth = worth = []
        answers = self._answers > 0
        for at in range(start, len(train), each) if train else (0,):
            datagram = train[at : at + each]
            sifted.datagrams += 1
            if len(datagram) < LEAST_BYTES or datagram[0] not in _TO_A_ROUTER:
                sifted.malformed += 1
            elif datagram[0] == _HELLO:
                claim = _claim(datagram)
                if not claim:
                    sifted.malformed += 1
                elif not self._proves(datagram, claim):
                    sifted.tag += 1
                else:
                    worth.append(at)
            elif self._knows(datagram):
                worth.append(at)
            elif answers and len(datagram) >= OVERHEAD:  # as long as the answer
                answers = False
                self._answers -= 1
                worth.append(at)
            else:
                sifted.no_session += 1
        return worth

    def _proves(self, datagram: memoryview, claim: memoryview) -> bool:
        key_id, tag = datagram[2], datagram[-TAG_BYTES:]
        if key_id not in self._shared:
            return False
        if datagram[_MODE] == KeyMode.SHARED:
            key = self._shared[key_id]
        else:
            key = self._devices[key_id].hello_key(claim)
        return key.verify(tag, datagram[:-TAG_BYTES])


def _claim(datagram: memoryview) -> memoryview | None:
    """The claim of a HELLO as it stands there; None where this cannot be one."""
    if (
        len(datagram) < _LEAST_HELLO
        or datagram[_CIPHER] > max(Cipher)
        or datagram[_MODE] > KeyMode.DEVICE
    ):
        return None
    id_length, prefixes = datagram[_CLAIM], datagram[_CLAIM + 1]
    if not 0 < id_length <= wire.LONGEST_ID or prefixes > wire.MOST_PREFIXES:
        return None
    end = _CLAIM + _FIXED_CLAIM + _PREFIX * prefixes + id_length
    return datagram[_CLAIM:end] if end + TAG_BYTES <= len(datagram) else None
