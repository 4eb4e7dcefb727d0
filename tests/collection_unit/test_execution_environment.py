"""No secret is made by the role's tasks where the next run would not find it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_host import LocalHost

GIVEN = {"nrs_psk": "k" * 43}


class Host(LocalHost):
    """One with nothing yet, deployed by a job whose directory is removed with it."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        super().__init__(tools, collections, cache, place)
        self.tasks = ("generate",)
        self.variables["_common_hosts"] = ["here"]
        self.environment_of_run = {"AWX_PRIVATE_DATA_DIR": str(place)}


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> Host:
    return Host(tools, installed, cache, tmp_path)


def test_secrets_that_would_go_with_the_job_are_not_made(host: Host) -> None:
    said = host.refused()
    assert f"PSK, signing key, CA: not made, as {host.secrets} is the execution" in said
    assert "Set nrs_secrets_directory to" in said and "-e nrs_secrets_kept=true" in said
    assert "signing key, CA: not made" in host.refused("--check", "-e", "nrs_new_secrets=true")
    assert not host.secrets.exists()


def test_only_what_is_not_given_is_missed(host: Host) -> None:
    host.variables |= GIVEN
    assert host.refused().startswith("signing key, CA: not made")


def test_the_operator_may_say_that_it_is_kept(host: Host) -> None:
    host.deploy("-e", "nrs_secrets_kept=true", changed=2)
    # What is there is no more to be made.
    host.variables["_common_has_own_authority"] = False
    host.deploy(changed=0)


def test_another_directory_is_judged_by_itself(host: Host, tmp_path: Path) -> None:
    host.environment_of_run = {"AWX_PRIVATE_DATA_DIR": str(tmp_path / "job")}
    host.variables["nrs_secrets_directory"] = str(tmp_path / "job" / ".secrets")
    assert "made for this run" in host.refused()


def test_a_certificate_that_would_go_with_the_job_is_not_made(host: Host) -> None:
    host.tasks = ("authority", "certificate")
    host.has("load_balancer")
    host.variables |= {
        "_common_urls": ["https://192.0.2.10:8080"],
        "_common_bind_port": 8080,
        "_common_own_certificate_file": "",
        "_common_own_key_file": "",
        "_common_own_key": "",
        "nrs_management_address": "192.0.2.10",
    }
    said = host.refused()
    made = host.secrets / "certificates" / "load_balancer-here.pem"
    assert f"{made}: not made (there is none), as its directory is the execution" in said
    assert not made.parent.exists()
