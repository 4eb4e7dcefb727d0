"""Bringing the lab's hosts up and taking them down."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lab import control, image
from lab.cgroups import MountNamespace
from lab.faults import Faults
from lab.network import Network
from lab.podman import Podman
from lab.progress import Progress
from lab.settings import Settings
from lab.topology import Host, Topology
from testbed.command import run
from testbed.lock import locked

_INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_INSTANCES = 1024


class Hosts:
    def __init__(self, settings: Settings, topology: Topology, progress: Progress) -> None:
        self.topology = topology
        self.network = Network(settings.name, topology)
        self.podman = Podman(settings)
        self.faults = Faults(self.network, topology)
        self._settings = settings
        self._mounts = MountNamespace(settings.root)
        self._progress = progress

    def up(self, only: Sequence[Host] = ()) -> None:
        """Start the hosts (all of them, unless some are named) and mend what was cut."""
        with self._locked():
            control.link_collection(self._settings)
            self._make_key()
            self._allow_inotify()
            self._mend()
            missing = self.network.build()
            self._progress.say(f"network: {missing or 'no'} changes")
            # After the network: /run/netns has to be a shared mount by the time this is made.
            self._mounts.ensure()
            self._ensure_image()
            self._start(only or self.topology.hosts)

    def down(self, *, everything: bool) -> None:
        """Remove the lab; with ``everything`` also the caches."""
        with self._locked():
            standing_in = [
                name for name in self.network.names() if self.network.namespace(name).is_own
            ]
            hosts = list(self.podman.containers())
            self._progress.say(f"removing {len(hosts)} hosts")
            self.podman.remove(hosts)
            self.network.remove(keep=standing_in)
            for name in standing_in:
                self._progress.say(
                    f"this command runs in the {name} namespace, which therefore stays;"
                    " a later `bin/lab down` from outside removes it"
                )
            shutil.rmtree(self._settings.state, ignore_errors=True)
            if self._others_use_root():
                if everything:
                    self._progress.say("the caches stay: a lab of another name uses them")
            else:
                self.podman.forget()
                self._mounts.remove()
                if everything:
                    shutil.rmtree(self._settings.root)
        self._progress.say("the lab is down")

    def _make_key(self) -> None:
        key = self._settings.key
        if not key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(key)])

    def _allow_inotify(self) -> None:
        """Each host takes seven inotify instances, and the usual limit for all is 128."""
        present = int(_INOTIFY_LIMIT.read_text(encoding="ascii"))
        if present < _INOTIFY_INSTANCES:
            _INOTIFY_LIMIT.write_text(f"{_INOTIFY_INSTANCES}\n", encoding="ascii")
            self._progress.say(
                f"fs.inotify.max_user_instances: {_INOTIFY_INSTANCES} until the next boot"
            )

    def _ensure_image(self) -> None:
        wanted = image.define(self.topology)
        if self.podman.has_image(wanted.tag):
            return
        self._progress.say("building the hosts' image (about a minute, kept for later)")
        image.build(wanted, self.podman, self._settings.state / "image.log")
        self._progress.say(f"image built: {wanted.tag}")

    def _mend(self) -> None:
        for host, interface in self.network.cut_interfaces():
            self._progress.say(f"joining {host.name} {interface.name}, which was cut")
            self.network.join(host, interface)
        for one, other in self.faults.present():
            self._progress.say(f"ending the blackhole between {one} and {other}")
            self.faults.set(self.topology.host(one), self.topology.host(other), drop=False)

    def _start(self, hosts: Sequence[Host]) -> None:
        tag = image.define(self.topology).tag
        present = self.podman.containers()
        outdated = [name for name, container in present.items() if container.image != tag]
        if outdated:
            self._progress.say(f"replacing hosts of another image: {' '.join(outdated)}")
            self.podman.remove(outdated)
        started = 0
        for host in hosts:
            container = present.get(host.name)
            if container is None or host.name in outdated:
                self.podman.start(host, tag, self.network.namespace(host.name).path)
            elif not container.running:
                self.podman.restart(host)
            else:
                continue
            started += 1
        with ThreadPoolExecutor() as pool:
            states = list(pool.map(self.podman.wait_until_booted, hosts))
        for host, state in zip(hosts, states, strict=True):
            if state != "running":
                self._progress.say(
                    f"{host.name} is {state}: bin/lab exec {host.name} systemctl --failed"
                )
        self._progress.say(f"hosts: {len(hosts)} booted, {started} of them now")
        for tag_or_older in self.podman.images():
            if tag_or_older.startswith(image.REPOSITORY) and tag_or_older != tag:
                self.podman.remove_image(tag_or_older)

    def _others_use_root(self) -> bool:
        """Whether a lab of another name has its containers in the same storage."""
        labs = self._settings.root / "labs"
        return labs.is_dir() and any(labs.iterdir())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One command at a time changes the lab."""
        self._settings.state.mkdir(parents=True, exist_ok=True)
        waiting = partial(self._progress.say, "waiting for another bin/lab to finish")
        with locked(self._settings.lock, waiting):
            yield
