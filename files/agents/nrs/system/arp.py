"""Settings by which an interface answers ARP for its own addresses only. Pure."""

from __future__ import annotations

from typing import NamedTuple


class ArpSetting(NamedTuple):
    """One that is to be at least `least`, for an interface by itself or for all of the host."""

    interface: str
    link: int
    """The interface's index."""
    key: str
    least: int

    @property
    def name(self) -> str:
        """As sysctl(8) takes it; a slash stands for a dot, which an interface's name may have."""
        return f"net/ipv4/conf/{self.interface}/{self.key}"


def own_answers(interface: str, index: int) -> list[ArpSetting]:
    """What lets an interface answer for, and ask with, addresses of its own only."""
    wanted = (("arp_ignore", 1), ("arp_announce", 2))
    return [ArpSetting(interface, index, key, least) for key, least in wanted]
