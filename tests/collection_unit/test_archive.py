"""The archive that bin/build makes: what is in it, and that it is enough."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

AGENTS = Path("roles", "common", "files", "agents")
COLLECTION = Path("ansible_collections", "nrs", "network_routing")
AT_THE_TOP = {
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "changelogs",
    "docs",
    "extensions",
    "meta",
    "playbooks",
    "plugins",
    "roles",
    "sbom.cdx.json",
}
OF_THE_AGENTS = {
    "NOTICE",
    "README.md",
    "codec",
    "nrs",
    "pyproject.toml",
    "requirements.lock",
    "setup.py",
}
WHEELHOUSE = ("nrs.network_routing.wheelhouse", "--check", "-e")
TARGET = json.dumps({"nrs_target_pythons": [{"version": "3.11", "machine": "x86_64"}]})


def contents(archive: Path) -> dict[Path, bytes]:
    """Every file of an archive."""
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            assert member.isdir() or member.isreg(), f"{member.name} is no plain file"
            if stream := tar.extractfile(member):
                found[Path(member.name)] = stream.read()
    return found


def secrets(found: dict[Path, bytes]) -> list[Path]:
    """What must not have got in."""
    return [path for path, content in found.items() if b"not for anybody else" in content]


def test_only_what_is_named_gets_in(archive: Path) -> None:
    found = contents(archive)
    assert {path.parts[0] for path in found} == AT_THE_TOP
    below = {path.relative_to(AGENTS).parts[0] for path in found if path.is_relative_to(AGENTS)}
    assert below == OF_THE_AGENTS
    assert AGENTS / "nrs" / "__init__.py" in found
    assert [path for path in found if any(part.startswith(".") for part in path.parts)] == []


def test_the_bill_of_materials_has_every_package_with_its_hashes(archive: Path) -> None:
    found = contents(archive)
    bill = json.loads(found[Path("sbom.cdx.json")])
    lock = found[AGENTS / "requirements.lock"].decode()
    pinned = re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", lock)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    *packages, ipsec_mb = bill["components"]
    assert [(one["name"], one["version"]) for one in packages] == pinned
    hashes = {one["content"] for part in packages for one in part["hashes"]}
    assert hashes == set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))
    assert all(part["hashes"] for part in packages)
    assert (ipsec_mb["name"], ipsec_mb["scope"]) == ("intel-ipsec-mb", "optional")
    assert ipsec_mb["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    release = json.loads(found[Path("MANIFEST.json")])["collection_info"]["version"]
    assert bill["metadata"]["component"]["version"] == release


def test_what_is_not_pinned_with_a_hash_makes_no_archive(
    tools: Any, checkout: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy, symlinks=True)
    with (copy / "files" / "agents" / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("surprise==1.0\n")
    ended = tools.end(copy / "bin" / "build", tmp_path)
    assert ended.returncode != 0
    assert "requirements.lock: not pinned with a hash: surprise==1.0" in ended.stdout
    assert list(tmp_path.glob("*.tar.gz")) == []


def test_no_secret_gets_in(archive: Path) -> None:
    assert secrets(contents(archive)) == []


def test_what_is_left_out_is_named(tools: Any, checkout: Path, tmp_path: Path) -> None:
    said = tools.run(checkout / "bin" / "build", tmp_path).splitlines()
    left_out = {line.rpartition(": ")[2] for line in said if "git does not track it" in line}
    assert {"roles/common/files/psk", "nrs/tunnel/psk"} <= left_out
    assert not any(name.startswith("inventories") for name in left_out)


def test_a_build_needs_its_programs(tools: Any, checkout: Path, tmp_path: Path) -> None:
    for name in ("bash", "dirname", "readlink", "git", "tar", "python3"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    with pytest.raises(AssertionError, match="bin/build: needs ansible-galaxy"):
        tools.run(checkout / "bin" / "build", tmp_path, env={"PATH": str(tmp_path)})


def test_the_agents_keep_their_name(tools: Any, checkout: Path, installed: Path) -> None:
    """A host deployed from the checkout has nothing to install when the archive is used."""

    def named(source: Path) -> Any:
        program = installed / COLLECTION / "roles" / "common" / "files" / "build_wheelhouse.py"
        words = ("--source", source, "--cache", tools.elsewhere / "cache", "--dry-run")
        result = json.loads(tools.run(sys.executable, program, *words, "3.11-x86_64"))
        return [release["stamp"] for release in result["releases"].values()]

    sources = checkout / "files" / "agents"
    name = named(installed / COLLECTION / AGENTS)
    assert named(sources) == name
    (sources / "nrs" / "__pycache__").mkdir()
    (sources / "nrs" / "__pycache__" / "agent.cpython-311.pyc").touch()
    (sources / "tests" / "test_more.py").touch()
    assert named(sources) == name
    (sources / "nrs" / "more.py").touch()
    try:
        assert named(sources) != name
    finally:
        (sources / "nrs" / "more.py").unlink()


def test_the_playbooks_are_found_from_elsewhere(
    tools: Any, checkout: Path, installed: Path
) -> None:
    names = ("backup", "restore", "site", "uninstall", "verify", "wheelhouse")
    said = tools.playbook(
        installed,
        "--syntax-check",
        "-i",
        checkout / "inventories" / "example",
        *(f"nrs.network_routing.{name}" for name in names),
    )
    playbooks = installed / COLLECTION / "playbooks"
    for name in names:
        assert f"playbook: {playbooks}/{name}.yml\n" in said


def test_the_installed_role_finds_the_sources(tools: Any, installed: Path) -> None:
    said = tools.playbook(installed, *WHEELHOUSE, TARGET, "-v")
    assert str(installed / COLLECTION / AGENTS) in said
    assert "changed=1" in said


def test_a_collection_without_the_sources_says_where_they_should_be(
    tools: Any, archive: Path, tmp_path: Path
) -> None:
    collection = tools.install(archive, tmp_path)
    shutil.rmtree(collection / AGENTS)
    with pytest.raises(AssertionError) as raised:
        tools.playbook(tmp_path, *WHEELHOUSE, TARGET)
    for place in (collection / AGENTS, collection / "files" / "agents"):
        assert str(place) in " ".join(str(raised.value).split())


def test_the_checkout_itself_can_be_installed(tools: Any, checkout: Path, tmp_path: Path) -> None:
    collection = tools.install(checkout, tmp_path)
    said = tools.playbook(tmp_path, *WHEELHOUSE, TARGET, "-v")
    assert str(collection / "files" / "agents") in said
    # ansible-galaxy packs what is not ignored; hidden files and whole rooms are.
    for name in (".secrets", ".vault_password", "bench", "inventories", "lab", "molecule", "tests"):
        assert not (collection / name).exists()
    assert list(collection.rglob(".*")) == []
    assert not (collection / "files" / "agents" / "tests").exists()
