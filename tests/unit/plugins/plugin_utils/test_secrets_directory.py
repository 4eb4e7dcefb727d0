# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One directory of secrets for a run, whatever its inventories are."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.nrs.network_routing.plugins.plugin_utils._secrets_directory import (
    chosen,
    secrets_directory,
)

SOURCES = {
    "a directory": (["site"], "site"),
    "a file": (["site/hosts.yml"], "site"),
    "two": (["site", "more/hosts.yml"], "site"),
    "the other way about": (["more/hosts.yml", "site"], "more"),
    "a list of hosts": (["192.0.2.1,"], "."),
    "a list of hosts before a file": (["192.0.2.1,", "more/hosts.yml"], "more"),
    "none": ([], "."),
}
# Where each host's own inventory, or what stood for it, once had them.
EARLIER = {
    "inside of an inventory": (["site"], "site/sub"),
    "beside another one": (["site", "more/hosts.yml"], "more"),
    "of a list of hosts": (["192.0.2.1,"], "None"),
    "beside the playbook": (["site"], "playbooks"),
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in ("site/sub", "site/group_vars/all", "more", "playbooks"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("site/hosts.yml", "site/sub/hosts.yml", "more/hosts.yml"):
        (tmp_path / name).touch()
    return tmp_path


def directory(here: Path, sources: list[str]) -> str:
    given = [str(here / source) if "," not in source else source for source in sources]
    found = chosen(given, here, here / "playbooks")
    assert found.name == ".secrets"
    return str(found.parent.relative_to(here))


def deployed(here: Path, beside: str, name: str = "psk") -> Path:
    place = here / beside / ".secrets"
    place.mkdir(parents=True)
    (place / name).touch()
    return place


@pytest.mark.parametrize("case", SOURCES)
def test_it_is_beside_the_first_inventory(here: Path, case: str) -> None:
    sources, beside = SOURCES[case]
    assert directory(here, sources) == beside


@pytest.mark.parametrize("case", EARLIER)
@pytest.mark.parametrize("name", ["psk", "signing_key", "ca_key"])
def test_secrets_that_lie_elsewhere_are_found(here: Path, case: str, name: str) -> None:
    sources, beside = EARLIER[case]
    deployed(here, beside, name)
    assert directory(here, sources) == beside


@pytest.mark.parametrize("case", EARLIER)
def test_secrets_in_two_places_are_refused_by_both_names(here: Path, case: str) -> None:
    sources, beside = EARLIER[case]
    first = deployed(here, "." if "," in sources[0] else "site")
    other = deployed(here, beside)
    with pytest.raises(AnsibleError) as refused:
        directory(here, sources)
    assert str(first) in str(refused.value) and str(other) in str(refused.value)
    assert "nrs_secrets_directory" in str(refused.value)


def test_what_is_named_so_and_holds_no_secret_is_nothing(here: Path) -> None:
    deployed(here, "more", "token-of-something-else")
    deployed(here, "site/group_vars/all")
    deployed(here, "playbooks", ".gitignore")
    assert directory(here, ["site", "more"]) == "site"


def test_one_place_by_two_names_is_one(here: Path) -> None:
    deployed(here, "site")
    (here / "link").symlink_to("site")
    assert directory(here, ["site", "link/hosts.yml"]) == "site"


def test_secrets_below_a_link_are_found_and_one_that_leads_up_ends(here: Path) -> None:
    (here / "elsewhere" / "a").mkdir(parents=True)
    deployed(here, "elsewhere/a")
    (here / "site" / "linked").symlink_to(here / "elsewhere")
    (here / "site" / "up").symlink_to(here / "site")
    assert directory(here, ["site"]) == "site/linked/a"


def test_a_directory_that_cannot_be_read_is_named(here: Path) -> None:
    place = here / "site" / ".secrets"
    place.symlink_to(place)
    with pytest.raises(AnsibleError, match=r"site/\.secrets: Too many levels"):
        directory(here, ["site"])


def test_the_environment_comes_first(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed(here, "site")
    variables = {"ansible_inventory_sources": [str(here / "site")]}
    assert secrets_directory(variables) == str(here / "site" / ".secrets")
    monkeypatch.setenv("NRS_SECRETS_DIRECTORY", "/var/lib/secrets")
    assert secrets_directory(variables) == "/var/lib/secrets"
