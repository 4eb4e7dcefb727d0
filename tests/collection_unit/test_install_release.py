"""A release is installed beside the others, and only where its codec loads; with a small wheel."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pip
import pytest

SCRIPT = Path(__file__).parents[2] / "roles/common/files/install_release.py"
CODEC = """
class CodecError(Exception):
    pass


def load(wanted=None):
    if wanted == "c" and not {loads}:
        raise CodecError("NRS_CODEC=c: libcrypto.so.3 is not there")
"""
METADATA = "Metadata-Version: 2.1\nName: network-routing-agents\nVersion: 1.0.0\n"
FORMAT = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
ENTRY = "[console_scripts]\nnrs = nrs.main:main\n"
MAIN = "import sys\ndef main():\n    print(sys.prefix)\n"


class Place:
    """A directory for releases, and archives to install from."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "opt"
        self.releases = self.directory / "releases"
        self.command = directory / "nrs"
        self.directory.mkdir()
        self._pip = directory / "pip-0.whl"
        packed = Path(pip.__file__).parent
        with zipfile.ZipFile(self._pip, "w") as wheel:
            for path in packed.rglob("*.p[ye]*"):
                wheel.write(path, path.relative_to(packed.parent))

    def install(self, stamp: str, codec: str = "c", *, loads: bool = True) -> str:
        """What is said of a failure; nothing where there is none."""
        archive = self.directory / "wheels.tar"
        agents = self.directory / "network_routing_agents-1.0.0-py3-none-any.whl"
        info = "network_routing_agents-1.0.0.dist-info/"
        with zipfile.ZipFile(agents, "w") as wheel:
            for name, text in {
                "nrs/__init__.py": "",
                "nrs/main.py": MAIN,
                "nrs/tunnel/__init__.py": "",
                "nrs/tunnel/codec.py": CODEC.format(loads=loads),
                f"{info}METADATA": METADATA,
                f"{info}WHEEL": FORMAT,
                f"{info}entry_points.txt": ENTRY,
                f"{info}RECORD": "",
            }.items():
                wheel.writestr(name, text)
        with tarfile.open(archive, "w") as tar:
            for path in (agents, self._pip):
                tar.add(path, arcname=path.name)
        agents.unlink()
        given = {
            "archive": archive,
            "directory": self.directory,
            "link": self.command,
            "python": sys.executable,
            "version": "1.0.0",
            "codec": codec,
            "stamp": stamp,
            "protocol": 7,
        }
        words = [f"--{name}={value}" for name, value in given.items()]
        command = [sys.executable, str(SCRIPT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    def runs(self) -> str:
        """From which release the command runs."""
        said = subprocess.run([self.command], capture_output=True, text=True, check=True).stdout
        return Path(said.strip()).name

    def there(self) -> set[str]:
        return {path.name for path in self.releases.iterdir()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_each_has_a_place_of_its_own_and_only_the_first_is_gone_by(place: Place) -> None:
    assert place.install("1.0.0 aa 3.11-x86_64") == ""
    assert place.runs() == "1.0.0-aa-3.11-x86_64"
    assert (place.releases / place.runs() / "protocol").read_text() == "7\n"
    files = (place.releases / place.runs() / "bin" / "nrs").stat().st_ino
    assert place.install("1.0.0 bb 3.11-x86_64") == ""
    assert place.runs() == "1.0.0-aa-3.11-x86_64"
    assert (place.releases / place.runs() / "bin" / "nrs").stat().st_ino == files
    assert place.there() == {"1.0.0-aa-3.11-x86_64", "1.0.0-bb-3.11-x86_64"}


def test_a_codec_that_does_not_load_is_not_installed(place: Place) -> None:
    assert place.install("1.0.0 aa 3.11-x86_64") == ""
    said = place.install("1.0.0 bb 3.11-x86_64", loads=False)
    assert "NRS_CODEC=c: libcrypto.so.3 is not there; it was built on another kind of" in said
    assert "or set nrs_codec: python" in said
    assert place.there() >= {"1.0.0-aa-3.11-x86_64"}
    assert "1.0.0-bb-3.11-x86_64" not in place.there()
    assert place.install("1.0.0 bb-python 3.11-x86_64", "python", loads=False) == ""
    assert "1.0.0-bb-python-3.11-x86_64" in place.there()
