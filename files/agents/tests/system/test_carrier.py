from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from nrs.system.carrier import has_carrier


@pytest.fixture
def no_descriptors() -> Iterator[None]:
    """No file can be opened any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_loopback_has_a_carrier() -> None:
    assert has_carrier("lo")


def test_of_an_interface_that_is_not_there_the_kernel_says_nothing() -> None:
    assert has_carrier("no_such_link") is None


def test_nothing_is_known_where_the_kernel_has_no_descriptor_left(no_descriptors: None) -> None:
    assert has_carrier("lo") is None
