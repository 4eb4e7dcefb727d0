"""Trains of UDP packets to the inner addresses of endpoints, one after the other.

A program of its own (`bin/bench sessions` runs it in the router's namespace). What the
router cannot take is dropped by its TUN device.
"""

from __future__ import annotations

import argparse
import ipaddress
import itertools
import socket
import struct
import time
from contextlib import suppress

FIRST = ipaddress.IPv4Address("10.100.1.0")
"""The first endpoint's inner address, in the TUN device's network."""
PAYLOAD = 1372
"""1400 bytes with IPv4 and UDP headers."""
_UDP_SEGMENT = 103
_PORT = 9
_BETWEEN_LOOKS = 64


def main() -> None:
    """Send for a number of seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--train", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    segment = [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", PAYLOAD))]
    train = [bytes(options.train * PAYLOAD)]
    addresses = [(str(FIRST + index), _PORT) for index in range(options.sessions)]
    targets = itertools.cycle(addresses)
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        for target in itertools.islice(targets, _BETWEEN_LOOKS):
            with suppress(OSError):  # the queue is full
                sender.sendmsg(train, segment, 0, target)


if __name__ == "__main__":
    main()
