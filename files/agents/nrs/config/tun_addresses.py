"""The tunnel addresses of a device in its file: of one family, or of both."""

from __future__ import annotations

from pydantic import model_validator
from typing_extensions import Self

from nrs.config.types import Interface4, Interface6, Section

Families = frozenset[int]
BOTH: Families = frozenset({4, 6})


class TunAddresses(Section):
    """A section that carries `tun_ipv4`, `tun_ipv6` or both."""

    tun_ipv4: Interface4 | None = None
    tun_ipv6: Interface6 | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.addresses:
            raise ValueError("needs tun_ipv4, tun_ipv6 or both")
        for address in self.addresses:
            if address.ip.is_unspecified:
                raise ValueError(f"{address.ip} is no address: leave it out to have none")
        return self

    @property
    def addresses(self) -> tuple[Interface4 | Interface6, ...]:
        """Those that are given, one or two."""
        return tuple(a for a in (self.tun_ipv4, self.tun_ipv6) if a is not None)
