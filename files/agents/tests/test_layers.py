"""Packages of the agents import downwards only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import nrs

ROOT = Path(nrs.__file__).parent
LAYERS = (
    {"config"},
    {"api", "system", "tunnel"},
    {"agent"},
    {"router", "endpoint", "balancer", "controller"},
    {"simulation"},
    {"cli", "__main__"},
)
RANK = {package: rank for rank, layer in enumerate(LAYERS) for package in layer}
FILES = sorted(ROOT.rglob("*.py"))


def package_of(file: Path) -> str:
    """The package of `nrs` that `file` belongs to; the root module is below them all."""
    first = file.relative_to(ROOT).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imports(source: str, package: str) -> Iterator[str]:
    """The packages of `nrs` that `source` imports anywhere, other than its own."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            imported = rest.partition(".")[0]
            if top == "nrs" and imported in RANK and imported != package:
                yield imported


def upward(source: str, package: str) -> list[str]:
    """The imports that go to a higher layer."""
    own = RANK.get(package, -1)
    return [imported for imported in imports(source, package) if RANK[imported] > own]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_imports_upwards(file: Path) -> None:
    package = package_of(file)
    assert package == "" or package in RANK, f"{package} has no layer"
    assert upward(file.read_text(encoding="utf-8"), package) == []


def test_no_two_packages_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for file in FILES:
        package = package_of(file)
        graph.setdefault(package, set()).update(imports(file.read_text(encoding="utf-8"), package))
    TopologicalSorter(graph).prepare()


def test_relative_imports_are_not_used() -> None:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), file


@pytest.mark.parametrize(
    "line",
    [
        "import nrs.cli.main",
        "from nrs.cli import main",
        "from nrs import cli",
        "def f():\n    from nrs.cli.main import main",
    ],
)
def test_an_upward_import_is_seen(line: str) -> None:
    assert upward(line, "balancer") == ["cli"]
    assert upward("from nrs.config.types import Name\nimport nrs", "balancer") == []
