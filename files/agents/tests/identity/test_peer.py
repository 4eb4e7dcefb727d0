from __future__ import annotations

import pytest

from nrs.identity.authority import Authority
from nrs.identity.certificate import Bundle
from nrs.identity.peer import problem_of

from .certificates import DAY, TODAY, Serve


def test_what_a_server_shows_is_looked_at(serve: Serve, ca: Authority, other_ca: Authority) -> None:
    url = f"https://127.0.0.1:{serve(ca, '192.0.2.10')}"
    expired = f"https://127.0.0.1:{serve(ca, '192.0.2.10', now=TODAY - 400 * DAY)}"
    ours, theirs = (Bundle("ca.pem", (one.certificate,)) for one in (ca, other_ca))
    assert problem_of(url, ours, TODAY) is None
    foreign = problem_of(url, theirs, TODAY)
    assert foreign is not None
    assert foreign.startswith(f"{url}: the certificate (until ")
    assert foreign.endswith("which is no CA in ca.pem")
    old = problem_of(expired, ours, TODAY)
    assert old is not None
    assert old.startswith(f"{expired}: the certificate expired on ")


def test_nothing_is_said_of_a_server_that_shows_none(serve: Serve, ca: Authority) -> None:
    authorities = Bundle("ca.pem", (ca.certificate,))
    assert problem_of("https://127.0.0.1:1", authorities, TODAY) is None
    with pytest.raises(ValueError, match="Port"):
        problem_of("https://127.0.0.1:port", authorities, TODAY)
