"""The environments that checks run in: the agents', and those of the two Ansibles."""

from __future__ import annotations

import shutil

from harness import interpreters, venvs
from harness.interpreters import Interpreter
from harness.settings import AGENTS, CHECKOUT, Cache, environment
from harness.venvs import Venv

_SHIM = CHECKOUT / "tests" / "get_pip_shim.py"
# The names by which ansible-core 2.18 and 2.20 or later look for pip's installer.
_SHIM_NAMES = ("get_pip_24_2.py", "get_pip_25_2.py")


def agents(cache: Cache, interpreter: Interpreter) -> Venv:
    """What the agents run on, what they draw with, and what tests them."""
    files = [
        AGENTS / name
        for name in ("requirements.lock", "requirements-pictures.txt", "requirements-test.txt")
    ]
    return venvs.ensure(cache, "agents", interpreter, files)


def ansible(cache: Cache) -> Venv:
    """The oldest supported ansible-core and what tests the collection; raises Unusable."""
    interpreter = interpreters.first_of(interpreters.FOR_OLDEST_ANSIBLE, "the oldest ansible-core")
    files = [CHECKOUT / "tests" / "requirements-oldest.txt"]
    return venvs.ensure(cache, "ansible", interpreter, files)


def newest_ansible(cache: Cache) -> Venv:
    """The newest supported ansible-core and what tests plugins; raises Unusable."""
    interpreter = interpreters.first_of(interpreters.FOR_NEWEST_ANSIBLE, "the newest ansible-core")
    files = [CHECKOUT / "tests" / "requirements-newest.txt"]
    return venvs.ensure(cache, "ansible-newest", interpreter, files)


def ansible_environment(cache: Cache, venv: Venv) -> dict[str, str]:
    """Ansible with a home of its own, in which ansible-test finds pip's installer."""
    installers = cache.home / ".ansible" / "test" / "cache"
    installers.mkdir(parents=True, exist_ok=True)
    for name in _SHIM_NAMES:
        shutil.copyfile(_SHIM, installers / name)
    return environment(
        cache,
        venv.bin,
        HOME=str(cache.home),
        ANSIBLE_HOME=str(cache.home / ".ansible"),
        ANSIBLE_COLLECTIONS_PATH=str(cache.collections),
        ANSIBLE_NOCOLOR="1",
    )
