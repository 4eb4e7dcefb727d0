"""Packages of the agents import downwards only, and what decides touches nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import nrs

ROOT = Path(nrs.__file__).parent
LAYERS = (
    {"identity"},
    {"config"},
    {"api", "system", "tunnel"},
    {"agent"},
    {"router", "endpoint", "balancer", "controller"},
    {"simulation"},
    {"cli", "__main__"},
)
RANK = {package: rank for rank, layer in enumerate(LAYERS) for package in layer}
FILES = sorted(ROOT.rglob("*.py"))
PURE = (
    "api/access.py",
    "api/gate.py",
    "api/incoming.py",
    "api/refusals.py",
    "balancer/decide/*.py",
    "config/overlay.py",
    "endpoint/counting.py",
    "endpoint/machine.py",
    "endpoint/path_mtu.py",
    "endpoint/route_plan.py",
    "endpoint/trains.py",
    "endpoint/uplink_address.py",
    "endpoint/uplink_plan.py",
    "identity/audience.py",
    "identity/authority.py",
    "identity/claims.py",
    "identity/credential.py",
    "identity/issue.py",
    "identity/revocations.py",
    "identity/revoked_tunnels.py",
    "identity/signed.py",
    "router/drain.py",
    "router/egress.py",
    "router/machine.py",
    "router/passage.py",
    "router/probe.py",
    "router/trains.py",
    "system/addresses.py",
    "system/nft_guard.py",
    "system/placing.py",
    "system/upkeep.py",
    "tunnel/handshake.py",
    "tunnel/replay.py",
    "tunnel/too_big.py",
    "tunnel/wire.py",
)
"""What decides, and all that it imports: bytes, numbers and a clock in, values and orders out."""
TOUCHING = {
    *("asyncio", "mmap", "os", "select", "signal", "socket", "sqlite3", "subprocess"),
    *("threading", "time"),
    *("flask", "prometheus_client", "psutil", "pyroute2", "redis", "requests", "sqlalchemy"),
    "ssl",
}


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


def modules(source: str) -> set[str]:
    """Every module that `source` imports anywhere; of `from a import b` both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def file_of(module: str) -> Path | None:
    """The file of a module of `nrs`; None for any other and for names inside modules."""
    path = ROOT.parent.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if module.split(".", maxsplit=1)[0] == "nrs" and file.is_file():
            return file
    return None


def touched(file: Path) -> dict[str, set[str]]:
    """What `file` and all that it imports of `nrs` import and a decision may not, by file."""
    seen, waiting, found = {file}, [file], {}
    while waiting:
        present = waiting.pop()
        imported = modules(present.read_text(encoding="utf-8"))
        if bad := {name.partition(".")[0] for name in imported} & TOUCHING:
            found[str(present.relative_to(ROOT))] = bad
        below = {path for name in imported if (path := file_of(name)) is not None}
        waiting += below - seen
        seen |= below
    return found


PURE_FILES = sorted(file for pattern in PURE for file in ROOT.glob(pattern))


@pytest.mark.parametrize("file", PURE_FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_decides_touches_nothing(file: Path) -> None:
    assert touched(file) == {}


def test_every_pure_room_has_files() -> None:
    assert all(any(ROOT.glob(pattern)) for pattern in PURE)


def test_a_touch_is_seen_however_deep() -> None:
    assert "tunnel/udp_socket.py" in touched(ROOT / "tunnel" / "session.py")
    assert touched(ROOT / "tunnel" / "udp_socket.py") == {"tunnel/udp_socket.py": {"socket"}}
