from __future__ import annotations

from pathlib import Path

import pytest

from lab.settings import from_environment
from testbed.failed import Failed


def test_defaults():
    settings = from_environment({})
    assert (settings.root, settings.name) == (Path("/var/lib/nrs-lab"), "nrs")


def test_empty_means_default():
    assert from_environment({"NRS_LAB_ROOT": "", "NRS_LAB_NAME": ""}) == from_environment({})


def test_labs_of_two_roots_do_not_share_a_runtime_directory():
    one, other = (from_environment({"NRS_LAB_ROOT": root}) for root in ("/a", "/b"))
    assert one.runtime != other.runtime


@pytest.mark.parametrize(
    "environment", [{"NRS_LAB_ROOT": "relative"}, {"NRS_LAB_NAME": "../x"}, {"NRS_LAB_NAME": "A-b"}]
)
def test_unusable_settings_are_refused(environment):
    with pytest.raises(Failed, match="NRS_LAB_"):
        from_environment(environment)
