from __future__ import annotations

import pytest

from nrs.api import access
from nrs.api.access import OPERATORS, READERS, Access, Caller, devices
from nrs.identity.credential import Role
from tests.api.callers import credential

OWN = {"device_id": "endpoint_1"}


def caller(role: Role, id: str = "endpoint_1") -> Caller:  # noqa: A002
    return Caller(role, credential(role, id))


@pytest.mark.parametrize("what", [OPERATORS, READERS, devices("device_id")])
def test_an_operator_may_everything(what: Access) -> None:
    assert access.refusal(caller(Role.OPERATOR, "ann"), what, OWN.get) is None


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OPERATOR])
def test_nobody_else_may_what_operators_may(role: Role) -> None:
    assert access.refusal(caller(role), OPERATORS, OWN.get) is not None


def test_a_device_acts_for_itself_alone() -> None:
    what = devices("device_id", Role.ENDPOINT)
    assert access.refusal(caller(Role.ENDPOINT), what, OWN.get) is None
    refused = access.refusal(caller(Role.ENDPOINT, "endpoint_2"), what, OWN.get)
    assert refused is not None
    assert refused.startswith("endpoint_2 has a token of the role endpoint, which may")
    assert refused.endswith("as endpoint_2 alone")
    assert access.refusal(caller(Role.ROUTER), what, OWN.get) is not None
    assert access.refusal(caller(Role.MONITOR), what, OWN.get) is not None


def test_a_monitor_reads_what_is_of_others() -> None:
    what = Access(frozenset({Role.MONITOR, Role.ENDPOINT}), "device_id")
    assert access.refusal(caller(Role.MONITOR, "ann"), what, OWN.get) is None
    assert access.refusal(caller(Role.ENDPOINT, "endpoint_2"), what, OWN.get) is not None


def test_whoever_has_no_token_of_its_own_is_believed() -> None:
    assert access.refusal(Caller(Role.OPERATOR), devices("device_id"), OWN.get) is None
    assert Caller(Role.OPERATOR).speaks_for("endpoint_9")
    assert not caller(Role.OPERATOR, "ann").speaks_for("endpoint_9")
    assert not Caller(Role.MONITOR).speaks_for("endpoint_9")
