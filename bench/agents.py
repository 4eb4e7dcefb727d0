"""The project's own agents, installed from the checkout and run in namespaces."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness import venvs
from harness.interpreters import Interpreter
from harness.settings import Cache

from bench.pair import UNDERLAY, Pair
from bench.progress import progress
from bench.settings import AGENTS, Places
from testbed.command import run
from testbed.lock import locked
from testbed.process import Child

_SOURCES = (
    "nrs/**/*.py",
    "nrs/py.typed",
    "codec/**/*",
    "NOTICE",
    "setup.py",
    "pyproject.toml",
    "README.md",
)
_INTERPRETER = Path("/usr/bin/python3")
_INSTALL_S = 300
# Nothing listens there: the agents go on without load balancer, as they would in the field.
NOBODY = "http://127.0.0.1:9"


def python(places: Places) -> Path:
    """The interpreter of a virtual environment that has the checkout's agents, C codec included.

    Made anew where the checkout has changed. Raises Failed, harness.report.Unusable.
    """
    places.root.mkdir(parents=True, exist_ok=True)
    waiting = partial(progress, "waiting for another that installs the agents")
    with locked(places.root / "lock", waiting), contextlib.redirect_stdout(sys.stderr):
        lock_files = [AGENTS / "requirements.lock", AGENTS / "requirements-pictures.txt"]
        venv = venvs.ensure(Cache(places.root), "agents", interpreter(), lock_files)
        _install(places, venv)
    return venv.python


def interpreter() -> Interpreter:
    """The distribution's, of which virtual environments are made."""
    version = run([_INTERPRETER, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return Interpreter(version.strip(), _INTERPRETER)


def _install(places: Places, venv: venvs.Venv) -> None:
    files = sorted(_files())
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(AGENTS)).encode() + b"\0" + path.read_bytes())
    marker = venv.root / ".agents"
    if marker.exists() and marker.read_text(encoding="ascii") == digest.hexdigest():
        return
    progress("installing the checkout's agents")
    marker.unlink(missing_ok=True)
    copy = places.root / "agents"
    shutil.rmtree(copy, ignore_errors=True)
    for path in files:
        target = copy / path.relative_to(AGENTS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--force-reinstall"]
    env = {**inherited(), "NRS_BUILD_CODEC": "1"}
    install = [venv.python, "-m", "pip", "install", *options, copy]
    # Not where the benchmark was called: Python would take modules from there.
    run(install, env=env, limit=_INSTALL_S, cwd=Path("/"))
    run([venv.python, "-c", "import nrs.tunnel.codec.c"], env=env, cwd=Path("/"))
    marker.write_text(digest.hexdigest(), encoding="ascii")


def _files() -> Iterator[Path]:
    for pattern in _SOURCES:
        yield from (path for path in AGENTS.glob(pattern) if path.is_file())


def new_psk() -> str:
    """A pre-shared key as configuration files hold it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def inherited() -> dict[str, str]:
    """This process's environment, in which Python finds what is installed and nothing else."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def environment(directory: Path, codec: str) -> dict[str, str]:
    """An agent's environment, with nothing of the machine's own deployment in it."""
    return {
        **inherited(),
        "NRS_RUNTIME_DIRECTORY": str(directory),
        "STATE_DIRECTORY": str(directory),
        "NRS_CODEC": codec,
    }


def start(
    pair: Pair, host: str, program: Path, command: str, config: Mapping[str, Any], codec: str
) -> Child:
    """`nrs COMMAND` with this configuration on a host of the pair."""
    directory = pair.directory / f"agent-{host}"
    directory.mkdir()
    path = directory / "config.yaml"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config), encoding="ascii")  # which is YAML too
    words = [program, "-m", "nrs", command, "--config", path]
    return pair.start(host, command, words, env=environment(directory, codec))


def start_router(pair: Pair, program: Path, codec: str, tunnel: Mapping[str, Any]) -> Child:
    """A routing server on host b, which has the interface `egress0`."""
    config = {
        "server": {
            "server_id": "router_b",
            "name": "router b",
            "tunnel_id": 1,
            "egress_interface": "egress0",
            "external_ip": UNDERLAY["b"],
        },
        "tunnel": dict(tunnel),
        "load_balancer": {"url": NOBODY},
    }
    return start(pair, "b", program, "routing-server", config, codec)
