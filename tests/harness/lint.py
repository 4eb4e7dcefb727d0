"""Linters and type checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import collection, interpreters, tools
from harness.report import Report
from harness.settings import AGENTS, CHECKOUT, Cache, environment

PART = "lint"
_LIMIT_S = 300
_PYTHON = ("files/agents/nrs", "plugins", "extensions", "roles", "lab", "bench", "testbed")
"""What runs; tests have passwords and assertions of their own."""


def run(report: Report, cache: Cache) -> None:
    """Each linter is a step."""
    agents = tools.agents(cache, interpreters.oldest_and_newest(interpreters.present())[0])
    ansible = tools.ansible(cache)
    copy = collection.refresh(cache)
    env = environment(cache, agents.bin)
    steps: list[tuple[str, Path, Sequence[str | Path]]] = [
        ("ruff check", CHECKOUT, ["ruff", "check", "."]),
        ("ruff format", CHECKOUT, ["ruff", "format", "--check", "."]),
        (
            "bandit",
            CHECKOUT,
            ["bandit", "-q", "-c", "bandit.yaml", "-r", *_PYTHON],
        ),
        ("mypy agents", AGENTS, ["mypy"]),
        ("mypy testbed", CHECKOUT, ["mypy", "--strict", "--package", "testbed"]),
        ("mypy lab", CHECKOUT, ["mypy", "--strict", "--package", "lab"]),
        ("shellcheck", CHECKOUT, ["shellcheck", *_shell_scripts()]),
    ]
    for name, where, command in steps:
        report.step(PART, name, command, cwd=where, env=env, limit=_LIMIT_S)
    for name in ("harness", "bench"):
        report.step(
            PART,
            f"mypy {name}",
            ["mypy", "--config-file", AGENTS / "pyproject.toml", "--package", name],
            cwd=CHECKOUT,
            env=environment(cache, agents.bin, MYPYPATH=f"{AGENTS}:{CHECKOUT / 'tests'}"),
            limit=_LIMIT_S,
        )
    plugins = [copy / "plugins", copy / "extensions", copy / "tests" / "unit"]
    report.step(
        PART,
        "mypy plugins",
        ["mypy", "--config-file", copy / "tests" / "mypy.ini", *plugins],
        cwd=cache.collections,
        env=env,
        limit=_LIMIT_S,
    )
    env = tools.ansible_environment(cache, ansible)
    for name, command in (
        ("yamllint", ["yamllint", "--strict", "."]),
        ("ansible-lint", ["ansible-lint", "--offline", "--strict", "--nocolor"]),
    ):
        report.step(PART, name, command, cwd=copy, env=env, limit=_LIMIT_S)


def _shell_scripts() -> list[Path]:
    """Every file of the checkout that says it is a shell script."""
    return [name for name in collection.files() if _is_shell(CHECKOUT / name)]


def _is_shell(path: Path) -> bool:
    if path.suffix == ".sh":
        return True
    if path.suffix:
        return False
    with path.open("rb") as file:
        first = file.readline(80)
    return first.startswith(b"#!") and first.split()[-1].rpartition(b"/")[2] in {b"sh", b"bash"}
