"""The real services that the targets run against, and what one run of all targets came to."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from services import Services

HERE = Path(__file__).resolve().parent
COLLECTION = HERE.parents[1]
_LIMIT_S = 300
_AT_ONCE = "4"
_RECAP = re.compile(r"^(\S+) +: ok=(\d+) +changed=\d+ +unreachable=(\d+) +failed=(\d+) ", re.M)


class Played:
    """How each target ended, by its name, and all that was said."""

    def __init__(self, said: str) -> None:
        self.said = said
        self.passed = {
            name: int(ok) > 0 and unreachable == failed == "0"
            for name, ok, unreachable, failed in _RECAP.findall(said)
        }


def targets() -> list[str]:
    """Every target, by name."""
    return sorted(path.name for path in (HERE / "targets").iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """Those that run while the targets do."""
    with TemporaryDirectory(prefix="nrs-") as place:  # a path that sockets in it can bind
        started = Services(Path(place))
        try:
            started.start()
            yield started
        finally:
            started.close()


@pytest.fixture(scope="session")
def played(request: pytest.FixtureRequest, services: Services) -> Played:
    """The targets whose tests are to run, side by side, each on a host of its name."""
    tests = (item for item in request.session.items if "target" in item.fixturenames)
    chosen = {test.callspec.params["target"] for test in tests}
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ interpreter }}"}
    given: dict[str, Any] = {
        "all": {
            "hosts": {name: {} for name in targets() if name in chosen},
            "vars": {**local, "interpreter": "{{ ansible_playbook_python }}", **services.told()},
        }
    }
    inventory, password = services.place / "targets.json", services.place / "vault_password"
    inventory.write_text(json.dumps(given))
    password.write_text("for these tests\n")
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment = {
        **inherited,
        "ANSIBLE_HOME": str(services.place / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_ROLES_PATH": str(HERE / "targets"),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(password),
    }
    ended = subprocess.run(
        ["ansible-playbook", "--forks", _AT_ONCE, "-i", inventory, HERE / "targets.yml"],
        cwd=services.place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    return Played(ended.stdout)
