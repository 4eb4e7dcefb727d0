from __future__ import annotations

import pytest

from nrs.identity.authority import Authority
from nrs.identity.certificate import names
from nrs.identity.peer import shown_at

from .certificates import DAY, TODAY, Serve


def test_what_a_server_shows_is_looked_at_whoever_signed_it(serve: Serve, ca: Authority) -> None:
    for age in (0.0, 400 * DAY):
        url = f"https://127.0.0.1:{serve(ca, '192.0.2.10', now=TODAY - age)}"
        shown = shown_at(url)
        assert shown is not None
        assert shown.file == url
        assert "192.0.2.10" in names(shown.first)


def test_there_is_nothing_of_a_server_that_shows_none() -> None:
    assert shown_at("https://127.0.0.1:1") is None
    with pytest.raises(ValueError, match="Port"):
        shown_at("https://127.0.0.1:port")
