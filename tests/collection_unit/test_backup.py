"""A backup of secrets and registries by the role's tasks, and a wiped control node that has it."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
import test_registry
from local_host import LocalHost

GENERATED = {"PSK": "psk", "signing key": "signing_key", "CA": "ca_key"}


SYSTEMCTL = """#!/bin/sh
case $1 in
    show) echo LoadState=loaded; echo "ActiveState=$(cat "$STATE")" ;;
    stop) echo inactive > "$STATE" ;;
    start) echo active > "$STATE" ;;
esac
"""


class Host(LocalHost):
    """A controller's, and the only one."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        super().__init__(tools, collections, cache, place)
        self.file, self.password = place / "backup.vault", place / "password"
        self.state = place / "state"
        self.registry = self.state / "network_controller" / "registry.sqlite3"
        self.password.write_text("for this test\n")
        self.variables |= {
            "_common_controllers": ["here"],
            "_common_hosts": ["here"],
            "_common_state_directory": str(self.state),
            "nrs_backup_file": str(self.file),
            "nrs_python": "python3",
        }

    def go_by(self, *tasks: str) -> Host:
        """What the next run consists of."""
        self.tasks = tasks
        return self

    def back_up(self, *words: str, changed: int = 1) -> str:
        """Write the backup."""
        with_password = ("--vault-password-file", str(self.password), *words)
        return self.go_by("backup_registry", "backup").deploy(*with_password, changed=changed)

    def not_backed_up(self) -> str:
        """Why it is not written, or not whole."""
        with_password = ("--vault-password-file", str(self.password))
        return self.go_by("backup_registry", "backup").refused(*with_password)

    def restore(self, *words: str, changed: int) -> str:
        """Put it back."""
        with_password = ("--vault-password-file", str(self.password), *words)
        return self.go_by("restore", "restore_registry").deploy(*with_password, changed=changed)

    def not_restored(self, *words: str) -> str:
        """Why it is not put back."""
        with_password = ("--vault-password-file", str(self.password), *words)
        return self.go_by("restore", "restore_registry").refused(*with_password)

    def held(self) -> dict[str, bytes]:
        """What is in the backup, read as an operator would by hand."""
        plain = self.place / "plain"
        words = ("--vault-password-file", self.password, "--output", plain, self.file)
        self.tools.run("ansible-vault", "decrypt", *words)
        with tarfile.open(fileobj=io.BytesIO(plain.read_bytes())) as archive:
            found = {m.name: archive.extractfile(m) for m in archive}
            content = {name: stream.read() for name, stream in found.items() if stream}
        plain.unlink()
        return content

    def files(self) -> dict[str, tuple[bytes, int]]:
        """The secrets of the control node, with their modes."""
        paths = [path for path in self.secrets.rglob("*") if path.is_file()]
        return {
            str(path.relative_to(self.secrets)): (path.read_bytes(), stat.S_IMODE(path.stat()[0]))
            for path in paths
        }


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> Host:
    return Host(tools, installed, cache, tmp_path)


def test_a_wiped_control_node_goes_on_without_a_new_secret(host: Host) -> None:
    host.go_by("generate", "authority").deploy(changed=4)
    before = host.files()
    assert set(GENERATED.values()) <= set(before)
    host.back_up("--check")
    assert not host.file.exists()
    said = host.back_up("-vvv", "--diff")
    assert stat.S_IMODE(host.file.stat().st_mode) == 0o600
    secret = [before[name][0].decode() for name in GENERATED.values()]
    literals = [line for text in secret for line in text.splitlines() if "-----" not in line]
    held = {f"secrets/{name}" for name in before if name != ".gitignore"}
    assert set(host.held()) == held
    host.back_up(changed=0)
    shutil.rmtree(host.secrets)
    assert "psk" in host.restore("--check", changed=1)
    assert not host.secrets.exists()
    said += host.restore("-vvv", "--diff", changed=1)
    assert host.files() == before
    assert stat.S_IMODE(host.secrets.stat().st_mode) == 0o700
    for literal in literals:
        assert literal not in said and literal.encode() not in host.file.read_bytes()
    host.restore(changed=0)
    host.variables["__common_probe"] = {"stdout": json.dumps({"files": ["psk", "signers"]})}
    host.go_by("generate", "authority").deploy(changed=0)


def test_another_secret_is_not_written_over_unless_told(host: Host) -> None:
    host.secrets.mkdir()
    for name in ("psk", "ca_key", "issued_tokens"):
        (host.secrets / name).write_text(f"{name} of then")
    host.back_up()
    (host.secrets / "ca_key").unlink()
    for name in ("psk", "issued_tokens"):
        (host.secrets / name).write_text(f"{name} of today")
    before = host.files()
    said = host.not_restored()
    assert f"{host.secrets} has secrets that differ from those in {host.file}: psk;" in said
    assert "-e nrs_restore_replace=true" in said and "of then" not in said
    assert host.files() == before
    (host.secrets / "psk").write_text("psk of then")
    assert "ca_key; stays as it is: issued_tokens" in host.restore(changed=1)
    assert (host.secrets / "issued_tokens").read_text() == "issued_tokens of today"
    host.restore("-e", "nrs_restore_replace=true", changed=1)
    assert (host.secrets / "issued_tokens").read_text() == "issued_tokens of then"


def test_a_wiped_controller_has_its_devices_again(host: Host) -> None:
    host.registry.parent.mkdir(parents=True)
    test_registry.write(host.registry, test_registry.DEVICES).close()
    host.back_up()
    shutil.rmtree(host.state)
    host.restore("--check", changed=2)
    assert not host.state.exists()
    host.restore(changed=2)
    assert test_registry.read(host.registry) == test_registry.DEVICES
    host.restore(changed=0)
    host.registry.unlink()
    test_registry.write(host.registry, {"router_9": None}).close()
    said = host.not_restored()
    assert "that the backup has not: endpoint_1, router_1, router_9. It" in said
    assert test_registry.read(host.registry) == {"router_9": None}
    host.restore("-e", "nrs_restore_replace=true", changed=1)
    assert test_registry.read(host.registry) == test_registry.DEVICES


def test_why_a_registry_cannot_be_compared_is_said(host: Host) -> None:
    host.registry.parent.mkdir(parents=True)
    test_registry.write(host.registry, test_registry.DEVICES).close()
    host.back_up()
    host.variables["nrs_python"] = "/no/such/python"
    assert "/no/such/python" in host.not_restored()


def test_a_service_that_was_stopped_runs_again_whatever_happens(host: Host, tmp_path: Path) -> None:
    host.registry.parent.mkdir(parents=True)
    test_registry.write(host.registry, test_registry.DEVICES).close()
    host.back_up()
    host.registry.unlink()
    systemctl, state = tmp_path / "bin" / "systemctl", tmp_path / "service"
    systemctl.parent.mkdir()
    systemctl.write_text(SYSTEMCTL)
    systemctl.chmod(0o755)
    state.write_text("active")
    path = f"{systemctl.parent}:{os.environ['PATH']}"
    host.environment = {"PATH": path, "STATE": str(state)}
    host.variables["__common_controller_unit"] = {"stat": {"exists": True}}
    in_its_way = host.registry.with_name(".registry.sqlite3.new")
    in_its_way.mkdir()
    assert f"{host.registry}: [Errno " in host.not_restored()
    assert state.read_text() == "active\n"
    in_its_way.rmdir()
    host.restore(changed=3)
    assert state.read_text() == "active\n"


def test_a_controller_that_cannot_be_asked_keeps_its_last_copy(host: Host) -> None:
    host.registry.parent.mkdir(parents=True)
    test_registry.write(host.registry, test_registry.DEVICES).close()
    host.back_up()
    before = host.held()
    host.variables["nrs_python"] = "/no/such/python"
    (host.place / "secrets").mkdir()
    (host.secrets / "psk").write_text("k")
    said = host.not_backed_up()
    assert "has all secrets, but no fresh copy of the registry of here: " in said
    assert "/no/such/python" in said
    assert host.held() == {**before, "secrets/psk": b"k"}


@pytest.mark.parametrize("left", ["nothing", "a registry", "a psk"])
def test_secrets_that_are_lost_stay_in_the_backup(host: Host, left: str) -> None:
    host.secrets.mkdir()
    for name in ("psk", "ca_key", "previous_psk"):
        (host.secrets / name).write_text(name)
    host.registry.parent.mkdir(parents=True)
    test_registry.write(host.registry, test_registry.DEVICES).close()
    host.back_up()
    before = host.held()
    shutil.rmtree(host.secrets)
    if left == "nothing":
        shutil.rmtree(host.state)
        assert "no secrets in" in host.not_backed_up()
        return
    if left == "a psk":
        host.secrets.mkdir()
        (host.secrets / "psk").write_text("psk")
    said = host.not_backed_up()
    names = "ca_key" if left == "a psk" else "psk, ca_key"
    assert f"{host.file}: not written over, as it has what {host.secrets} lacks: {names}." in said
    assert "-e nrs_backup_replace=true" in said
    assert host.held() == before
    host.back_up("-e", "nrs_backup_replace=true")
    assert set(host.held()) == {"registries/here"} | ({"secrets/psk"} if left == "a psk" else set())


@pytest.mark.parametrize("lost", ["its devices", "its file"])
def test_devices_that_a_controller_has_lost_stay_in_the_backup(host: Host, lost: str) -> None:
    host.secrets.mkdir()
    (host.secrets / "psk").write_text("k")
    assert "Without a registry: here" in host.back_up()
    host.registry.parent.mkdir(parents=True)
    test_registry.write(host.registry, test_registry.DEVICES).close()
    host.back_up()
    before = host.held()
    host.registry.unlink()
    if lost == "its devices":
        test_registry.write(host.registry, {}).close()
    (host.secrets / "ca_key").write_text("c")
    said = host.not_backed_up()
    assert "no fresh copy of the registry of here: here has no devices, and the copy before" in said
    assert host.held() == {**before, "secrets/ca_key": b"c"}
    host.back_up("-e", "nrs_backup_replace=true", changed=int(lost == "its devices"))
    kept = host.held()["registries/here"] == before["registries/here"]
    assert kept == (lost == "its file")


def test_nothing_is_written_where_it_would_be_thrown_away(host: Host) -> None:
    host.secrets.mkdir()
    (host.secrets / "psk").write_text("k")
    host.environment_of_run = {"AWX_PRIVATE_DATA_DIR": str(host.place)}
    said = host.not_backed_up()
    assert f"{host.file}: not written, as its directory is the execution environment's" in said
    assert not host.file.exists()
    host.back_up("-e", "nrs_secrets_kept=true")
    host.restore(changed=0)
    (host.secrets / "psk").unlink()
    said = host.not_restored()
    assert f"psk: not put back, as {host.secrets} is the execution environment's own" in said
    assert not (host.secrets / "psk").exists()
    host.restore("-e", "nrs_secrets_kept=true", changed=1)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"nrs_backup_file": "SECRETS/backup"}, "a backup in the directory that it is of"),
        ({"nrs_backup_file": "PLACE/password"}, "password: not encrypted with ansible-vault"),
        ({"nrs_backup_file": "PLACE/none/backup"}, "backup: No such file or directory"),
        ({"nrs_secrets_directory": "PLACE/none"}, "no secrets in"),
        ({"nrs_backup_file": None}, "missing required arguments: nrs_backup_file"),
        ({"password": None}, "give --vault-password-file, --vault-id or --ask-vault-pass"),
    ],
)
def test_what_cannot_be_done_is_said(host: Host, spoil: dict[str, Any], said: str) -> None:
    host.secrets.mkdir()
    (host.secrets / "psk").write_text("k")
    places = {"SECRETS": str(host.secrets), "PLACE": str(host.place)}
    words = ["--vault-password-file", str(host.password)]
    for name, value in spoil.items():
        if name == "password":
            words = []
        elif value is None:
            del host.variables[name]
        else:
            top, _, rest = value.partition("/")
            host.variables[name] = f"{places[top]}/{rest}"
    assert said in host.go_by("backup_registry", "backup").refused(*words)


def test_another_password_opens_nothing(host: Host) -> None:
    host.secrets.mkdir()
    (host.secrets / "psk").write_text("k")
    host.back_up()
    host.password.write_text("another one\n")
    assert f"{host.file}: Decryption failed" in host.not_restored()
    host.file.write_text("psk")
    assert f"{host.file}: not encrypted with ansible-vault" in host.not_restored()


def test_the_playbooks_go_on_without_a_controller_that_is_down(
    tools: Any, installed: Path, tmp_path: Path
) -> None:
    """Of which nothing is on this machine: its port takes no connection."""
    down = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    groups = {"network_controllers": {"lb": down}, "routing_servers": {"router_1": {}}}
    hosts = {name: {"hosts": members} for name, members in groups.items()}
    (tmp_path / "hosts.json").write_text(json.dumps(hosts))
    (tmp_path / "password").write_text("for this test\n")
    psk = tmp_path / ".secrets" / "psk"
    psk.parent.mkdir()
    psk.write_text("k")
    words = ["ansible-playbook", "-i", tmp_path / "hosts.json"]
    words += ["--vault-password-file", tmp_path / "password"]
    reaching = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "ANSIBLE_SSH_RETRIES": "0"}

    def end(playbook: str, *more: str) -> str:
        ended = tools.end(*words, f"nrs.network_routing.{playbook}", *more, env=reaching)
        assert ended.returncode != 0, ended.stdout
        return " ".join(ended.stdout.split())

    given = ("-e", f"nrs_backup_file={tmp_path / 'backup'}")
    assert "missing required arguments: nrs_backup_file" in end("backup")
    said = end("backup", *given)
    assert "but no fresh copy of the registry of lb: Failed to connect to the host via ssh" in said
    psk.unlink()
    psk.parent.rmdir()
    assert f"{psk.parent}: psk" in end("restore", *given)
    assert psk.read_text() == "k"
