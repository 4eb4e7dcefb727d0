# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the agents' sources are found."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.filter.agents_source import agents_source


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A collection with nothing in it but a role."""
    (tmp_path / "network_routing" / "roles" / "common").mkdir(parents=True)
    return tmp_path / "network_routing"


def put(directory: Path) -> str:
    directory.mkdir(parents=True)
    (directory / "pyproject.toml").touch()
    return str(directory)


def find(collection: Path) -> str:
    return agents_source(str(collection / "roles" / "common"))


def test_at_the_top_of_a_checkout(collection: Path) -> None:
    place = put(collection / "files" / "agents")
    assert find(collection) == place


def test_inside_the_role_of_an_archive(collection: Path) -> None:
    place = put(collection / "roles" / "common" / "files" / "agents")
    assert find(collection) == place


def test_what_the_role_brings_goes_first(collection: Path) -> None:
    put(collection / "files" / "agents")
    place = put(collection / "roles" / "common" / "files" / "agents")
    assert find(collection) == place


def test_a_linked_collection(collection: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(collection)
    place = put(collection / "files" / "agents")
    assert find(tmp_path / "linked") == place


def test_neither_place_has_them(collection: Path) -> None:
    (collection / "files" / "agents").mkdir(parents=True)
    with pytest.raises(AnsibleFilterError) as raised:
        find(collection)
    for place in (collection / "roles" / "common", collection):
        assert str(place / "files" / "agents") in str(raised.value)
