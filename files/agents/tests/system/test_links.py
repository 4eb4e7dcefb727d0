"""What the kernel refuses. What it does is tested in namespaces: tests/netns/test_links.py."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from pyroute2.netlink.exceptions import NetlinkError

from nrs.system.links import LinkError, Links

HOST = ipaddress.ip_interface("10.0.0.1/24")
LINK = {"mtu": 1400, "queue": 500, "gso_bytes": 65536, "gso_segments": 64}


class Kernel:
    """Knows every interface and refuses all that is asked of it, perhaps also to look one up."""

    def __init__(self, *, knows: bool) -> None:
        self._knows = knows

    def link_lookup(self, **_: object) -> list[int]:
        return [7] if self._knows else self.refuse()

    def refuse(self, *_: object, **__: object) -> Any:
        raise NetlinkError(errno.EBUSY)

    def get_addr(self, **_: object) -> Any:
        """As dumps may be: told only while it is read."""
        yield self.refuse()

    addr = link = refuse

    def close(self) -> None: ...


@pytest.mark.parametrize("knows", [True, False])
@pytest.mark.parametrize(
    "ask",
    [
        lambda links: links.bring_up("tun0", **LINK),
        lambda links: links.add_address("tun0", HOST),
        lambda links: links.keep_addresses("tun0", ()),
    ],
)
def test_a_refusal_is_a_link_error(ask: Callable[[Links], object], knows: bool) -> None:
    with Links() as links:
        links._route.close()
        links._route = Kernel(knows=knows)
        with pytest.raises(LinkError, match=r"cannot .* (tun0|10\.0\.0\.0/24)"):
            ask(links)
