"""Other releases of the agents than the one that is deployed, and runs that roll them out."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

_NOT_OF_A_RELEASE = shutil.ignore_patterns("tests", "build", "__pycache__", "*.so", ".*_cache")
_INTERVAL = re.compile(r"sec +[\d.]+ \w?Bytes +([\d.]+) \w?bits/sec")
BUSINESS = "198.51.100.10"
RATE = 100
LONGEST_S = 1200
_PLAY_S = 700
"""Of all hosts, on a busy machine."""


class Release:
    """The agents with one file changed, whose wheels are on the control node."""

    def __init__(self, lab: Any, place: Path, file: str, old: str, new: str) -> None:
        self._lab, self._source = lab, place / "agents"
        original = lab.checkout / "files" / "agents"
        shutil.copytree(original, self._source, ignore=_NOT_OF_A_RELEASE)
        path = self._source / "nrs" / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} has {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new), encoding="utf-8")
        words = ("-i", "inventories/lab", "playbooks/wheelhouse.yml", "-e", self._given)
        subprocess.run(["ansible-playbook", *words], cwd=lab.checkout, check=True, timeout=300)

    @property
    def _given(self) -> str:
        return f"_common_agents_source={self._source}"

    def words(self, *words: str) -> tuple[str, ...]:
        """An upgrade to it, or its beginning; traffic that goes on is not waited for long."""
        playbook = str(self._lab.checkout / "playbooks" / "upgrade.yml")
        given = ("-e", self._given, "-e", "nrs_drain_wait=5")
        return ("ansible-playbook", playbook, *given, *words)

    def upgrade(self, *words: str) -> subprocess.CompletedProcess[str]:
        ended: subprocess.CompletedProcess[str] = self._lab.ansible(
            *self.words(*words), limit=_PLAY_S
        )
        return ended


def play(lab: Any, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A playbook of the collection."""
    playbook = str(lab.checkout / "playbooks" / f"{name}.yml")
    ended: subprocess.CompletedProcess[str] = lab.ansible(
        "ansible-playbook", playbook, *words, limit=_PLAY_S
    )
    return ended


def stamp(lab: Any, host: str) -> str:
    """The release that an agent of a host runs."""
    return str(lab.status(host)["release"])


class Traffic:
    """A ping of 100 packets a second and a download, from an endpoint to the business server."""

    def __init__(self, lab: Any, endpoint: str) -> None:
        self._lab, self._endpoint = lab, endpoint
        ping = f"ping -nq -i{1 / RATE} -w{LONGEST_S} -W5 -Itun0 {BUSINESS}"
        self._ping = self._start("ping", ping)
        download = f"iperf3 -c {BUSINESS} -R -b 10M -t {LONGEST_S} -i 1 --forceflush"
        self._download = self._start("download", download)

    def _start(self, name: str, command: str) -> subprocess.Popen[str]:
        script = f"echo $$ >/run/{name}.pid; exec {command} >/run/{name}.out 2>&1"
        process: subprocess.Popen[str] = self._lab.start(self._endpoint, "sh", "-c", script)
        return process

    def rates(self) -> list[float]:
        """Of the download, a second each."""
        said = self._lab.exec(self._endpoint, "cat", "/run/download.out")
        return [float(rate) for rate in _INTERVAL.findall(said)]

    def end(self) -> tuple[int, bool]:
        """How many packets of the ping were lost, and whether the download went on to the end."""
        download = self._download.poll()
        rates = self.rates()
        for name in ("ping", "download"):
            self._lab.exec(self._endpoint, "sh", "-c", f"kill -INT $(cat /run/{name}.pid) || true")
        self._ping.wait(30)
        self._download.wait(30)
        said = self._lab.exec(self._endpoint, "cat", "/run/ping.out")
        (counts,) = re.findall(r"(\d+) packets transmitted, (\d+) received", said)
        # The last may be on its way when the ping is ended.
        lost = max(0, int(counts[0]) - int(counts[1]) - 1)
        return lost, download is None and rates[-1] > 0
