"""Who may call which operation, decided by what a credential says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nrs.identity.credential import Credential, Role

_MAY = {
    Role.MONITOR: "read, and change nothing",
    Role.ROUTER: "read /revocations, and register, report and fetch its configuration"
    " as {id} alone",
    Role.ENDPOINT: "read /revocations, and register, report, tell of its moves, and fetch its"
    " configuration and decisions as {id} alone",
    Role.SERVICE: "read /revocations and nothing else",
}
"""What a token of each role is for; an operator's is for everything."""


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request."""

    role: Role
    credential: Credential | None = None
    """None for somebody without a token of their own: on loopback, or with the shared one."""

    def speaks_for(self, device_id: object) -> bool:
        """Whether what is said as `device_id` may be kept as its word."""
        if self.credential is None:
            return self.role is Role.OPERATOR
        # An operator may be called as a device is.
        return self.role.has_tunnel and self.credential.id == device_id


@dataclass(frozen=True)
class Access:
    """Who may call an operation; operators may call all of them."""

    roles: frozenset[Role] = frozenset()
    own: str | None = None
    """The parameter, or the key of the body, that names a device, which has to be the caller."""


OPERATORS = Access()
READERS = Access(frozenset({Role.MONITOR}))


def devices(own: str, *roles: Role) -> Access:
    """For devices that act for themselves, as `own` says; all devices where no role is named."""
    return Access(frozenset(roles or {Role.ROUTER, Role.ENDPOINT}), own)


def refusal(caller: Caller, access: Access, stated: Callable[[str], object]) -> str | None:
    """Why the caller may not; `stated` gives what the request has in place of a parameter."""
    if caller.role is Role.OPERATOR:
        return None
    if caller.role not in access.roles:
        return allowed(caller)
    if access.own is None or caller.role is Role.MONITOR or caller.speaks_for(stated(access.own)):
        return None
    return allowed(caller)


def allowed(caller: Caller) -> str:
    """What the caller may do, for the answer 403."""
    device_id = caller.credential.id if caller.credential else "nobody"
    may = _MAY.get(caller.role, "do everything").format(id=device_id)
    return f"{device_id} has a token of the role {caller.role.value}, which may {may}"
