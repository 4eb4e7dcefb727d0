"""The value that the collection's filter device_key is held to as well."""

from __future__ import annotations

import ipaddress

from nrs.tunnel import keys
from nrs.tunnel.wire import Claim

# The same value is in the collection's tests/unit/plugins/filter/test_device_key.py.
PLAIN = "8866841672f56d9ddcc237290a4a5b621b80c2aca993cee822aa9180c4cef267"


def test_an_endpoint_without_prefixes_in_the_first_epoch() -> None:
    claim = Claim(
        "endpoint_1",
        ipaddress.IPv4Address("10.10.100.1"),
        ipaddress.IPv6Address("fd00:10:100::1"),
    )
    assert keys.device_key(bytes(range(32)), claim, 0).hex() == PLAIN
