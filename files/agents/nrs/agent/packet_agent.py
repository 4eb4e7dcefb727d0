"""What the routing server and the access endpoint have in common around their packet loop.

Set up, serve, reload, take over, stop. What is specific is in their agents.
"""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from nrs.agent.companion import Companion
from nrs.agent.in_force import Candidate, InForce, Refused
from nrs.agent.notes import FORWARDING, Notes
from nrs.agent.revocation_keeper import RevocationKeeper
from nrs.agent.run import CANNOT_START, Agent, Config, Start, open_log
from nrs.agent.standing import Reloads, standing
from nrs.config import held, pushed
from nrs.config.api import Api
from nrs.config.loader import ConfigError, Pushed
from nrs.config.tun_addresses import BOTH, Families
from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.system import forwarding, ipv6, scheduling, systemd
from nrs.system.control import ControlThread, socket_path
from nrs.system.descriptor_store import DescriptorStore
from nrs.system.links import Interface, LinkError, Links, LinkState
from nrs.system.nftables import NftablesError
from nrs.tunnel import codec, handshake
from nrs.tunnel.engine import Engine
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.memory_file import MemoryFile
from nrs.tunnel.session_memory import SessionMemory
from nrs.tunnel.tun_device import (
    GSO_MAX_BYTES,
    GSO_MAX_SEGMENTS,
    QUEUE_FRAMES,
    DeviceGone,
    TunDevice,
)

log = logging.getLogger(__name__)

_TEND_INTERVAL_S = 1.0
_SWITCH_INTERVAL_S = 0.0005
"""`sys.setswitchinterval`: how soon other threads give the packet loop way."""
_TAKE_OVER_TIMEOUT_S = 4.0
_ANNOUNCED_S = 0.03
_DEVICE = "tun"
_SESSIONS = "sessions"
_ASKED_FILE = "forwarding.wanted"


class PacketAgent(Agent[Config]):
    """Owns the loop, the TUN device, the control socket and the companion.

    A subclass sets up the rest, `engine` and `open_control` with it, when it is made. What another
    process goes on with is undone by the end of a unit that is stopped, and by no other.
    """

    COMPANION: ClassVar[str]
    """Its companion's module."""
    REFUSALS = (OSError, LinkError, NftablesError, codec.CodecError)
    engine: Engine
    families: Families = BOTH
    """What the TUN device can carry."""

    def __init__(self, start: Start[Config]) -> None:
        """Raises OSError, CodecError."""
        # First, as threads that are there already would keep what the unit gives all of them.
        self._scheduling = scheduling.hurry()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        handshake.warm_up()
        self.cleanup = start.cleanup
        self._path = start.path
        if (warning := _left_secret_warning(start.config)) is not None:
            log.warning("%s: %s", start.path, warning)
        self._release = start.release
        self._reloads = Reloads()
        self.codec = codec.load()
        for provider in self.codec.crypto.failed:
            log.error(
                "crypto provider %s is not used: it gave a wrong tag for a known message", provider
            )
        self.store = DescriptorStore.of_process()
        self.loop = PacketLoop()
        self.cleanup.callback(self.loop.close)
        self.links = Links()
        self.cleanup.callback(self.links.close)
        self.memory = SessionMemory(self.store.take(_SESSIONS))
        self.keep(_SESSIONS, self.memory.file)
        self.notes = Notes(socket_path(self.UNIT).parent)
        self._turned_on = [Path(path) for path in self.notes.get(FORWARDING) or []]
        """Settings of the host, by this run or an earlier one."""
        self.undo(lambda: forwarding.restore(self._turned_on))
        self.revocations = RevocationKeeper(pushed.state_directory(self.UNIT))
        self.revocations.configure(_api(start.config))
        self._in_force = InForce(
            start, self.UNIT, self.restart_keys, self._try_take_over, self.lay_running
        )
        self._changing = threading.Lock()
        """Held while another configuration is read and taken over."""
        self._for_good = not self.store.available
        """Whether nobody goes on where this process ends."""
        self._restarting = False
        self._leaving = False
        self._ends: list[Callable[[], object]] = []

    @property
    def config(self) -> Config:
        """What it runs with."""
        return self._in_force.config

    # -- what a subclass says

    @abstractmethod
    def restart_keys(self, config: Config) -> dict[str, object]:
        """The values, by key path, that a running agent cannot change."""

    @abstractmethod
    def take_over(self, config: Config) -> None:
        """Run with `config` from now on; tunnels that it does not change stay up."""

    def lay_running(
        self, config: Config, data: dict[str, Any], over: Mapping[str, Any]
    ) -> dict[str, Any]:
        """As `lay`, by what an agent knows that runs. Called in another thread."""
        return self.lay(config, data, over)

    def settle(self) -> None:
        """Wait until what `take_over` has begun is done. Called in another thread."""

    @abstractmethod
    def go_by(self, revoked: RevokedTunnels) -> None:
        """Carry no tunnel that is revoked from now on."""

    @abstractmethod
    def tend(self) -> None:
        """Called once a second."""

    @abstractmethod
    def announce_restart(self) -> None:
        """Tell the peers that this agent is silent for a moment and then goes on."""

    @abstractmethod
    def status(self) -> dict[str, Any]:
        """The agent's own part of `nrs status --json`. Called in another thread."""

    @abstractmethod
    def work(self) -> dict[str, Any]:
        """What the companion is to do, as the agent now runs: `Work` of `tasks.py`, for JSON."""

    @property
    @abstractmethod
    def ready(self) -> str:
        """Shown by systemctl status."""

    # -- set-up

    def undo(self, action: Callable[..., object], *arguments: Any) -> None:
        """Call `action` at the end, unless another process goes on with what it would undo."""
        self.cleanup.callback(lambda: action(*arguments) if self._for_good else None)

    def end_beside(self, end: Callable[[], object]) -> None:
        """Call `end` at the end; it may wait, and must not mind being called again.

        Before a restart it is called in a thread, while packets still flow.
        """
        self._ends.append(end)
        self.cleanup.callback(end)

    def keep(self, name: str, memory: MemoryFile) -> None:
        """Have `memory` outlive the process, if it does not already."""
        if not memory.is_inherited:
            self.store.keep(name, memory.fd)

    def open_device(self, name: str, mtu: int, *addresses: Interface) -> TunDevice:
        """The TUN device, up and with its addresses. Raises OSError, LinkError."""
        inherited = self.store.take(_DEVICE)
        adopted = TunDevice.adopt(name, inherited) if inherited is not None else None
        tun = adopted or TunDevice.create(name)
        self.cleanup.callback(tun.close)
        if adopted is None:
            self.store.keep(_DEVICE, tun.fd)
        if adopted is None and tun.is_persistent:
            log.warning("the persistent device %s, which somebody else has made, is used", name)
            self.undo(self._leave_device, name, self.links.state(name))
        self.links.bring_up(
            name,
            mtu=mtu,
            queue=QUEUE_FRAMES,
            gso_bytes=GSO_MAX_BYTES,
            gso_segments=GSO_MAX_SEGMENTS,
        )
        if adopted is not None:
            self.links.keep_addresses(name, addresses)
        for address in self._possible(name, addresses):
            self.links.add_address(name, address)
        return tun

    def _leave_device(self, name: str, state: LinkState) -> None:
        try:
            self.links.restore(name, state)
        except LinkError as error:
            log.warning("%s", error)

    def _possible(self, name: str, addresses: Sequence[Interface]) -> list[Interface]:
        """Those of the families that the device can have. Raises LinkError where there is none."""
        if ipv6.is_on(name):
            return list(addresses)
        self.families = frozenset({4})
        possible: list[Interface] = [address for address in addresses if address.version == 4]
        why = f"IPv6 is switched off (sysctl net.ipv6.conf.{name}.disable_ipv6, or at boot)"
        if not possible:
            raise LinkError(f"{why}, and tunnel.tun_ipv4 is not given")
        if len(possible) < len(addresses):
            log.warning("%s: %s carries IPv4 alone", why, name)
        return possible

    def forward(self, interfaces: Sequence[str], families: Families = BOTH) -> None:
        """Turn forwarding on, and off at the end where it was off before this or an earlier run.

        What an earlier run has turned on for others is turned off at once.
        """
        needed = forwarding.settings(interfaces, families)
        forwarding.restore([path for path in self._turned_on if path not in needed])
        kept = [path for path in self._turned_on if path in needed]
        self._note_turned_on([*kept, *forwarding.enable(interfaces, families)])

    def note_forwarding(self, path: Path) -> None:
        """One more setting was turned on that is to be off at the end. From any thread."""
        self.loop.wake(lambda: self._note_turned_on([*self._turned_on, path]))

    def _note_turned_on(self, paths: Iterable[Path]) -> None:
        self._turned_on = list(dict.fromkeys(paths))
        self.notes.put(FORWARDING, [str(path) for path in self._turned_on])

    def ask_for_forwarding(self) -> None:
        """Have root turn it on, by a file that systemd waits for (network_routing_forwarding)."""
        with suppress(OSError):
            (socket_path(self.UNIT).parent / _ASKED_FILE).write_text("forwarding is off\n")

    def open_control(self, **commands: Callable[[dict[str, Any]], Any]) -> None:
        """The control socket and the companion, which talks to it. Raises OSError."""
        socket = socket_path(self.UNIT)
        control = ControlThread(
            socket,
            {
                "status": self._status,
                "apply_config": self._apply_config,
                "stopping": self._stopping,
                "revocations": self.revocations.answer,
                **commands,
            },
        )
        self.revocations.follow(lambda revoked: self.loop.wake(lambda: self.go_by(revoked)))
        control.start()
        self.end_beside(control.stop)
        self._companion = Companion(self.COMPANION, socket, self.work)
        self.end_beside(self._companion.stop)

    # -- running

    def hurry_companion(self) -> None:
        """Have the companion do what is urgent at once."""
        self._companion.hurry()

    def serve(self) -> int:
        """Carry packets until SIGTERM or SIGINT; CANNOT_START where the device is gone."""
        for number, action in (
            (signal.SIGTERM, self._stop),
            (signal.SIGINT, self._stop),
            (signal.SIGHUP, self._reload),
        ):
            signal.signal(number, lambda *_, action=action: self.loop.wake(action))
        self.store.drop_untaken()
        systemd.ready(self.ready)
        self._companion.start()
        self._tend()
        try:
            self.loop.run()
        except DeviceGone as gone:
            log.error("the device %s was deleted: this agent ends, to be started again", gone)
            return CANNOT_START
        systemd.stopping()
        if self._for_good:
            self.notes.clear()
            self.store.drop_all()
        return 0

    def _stop(self) -> None:
        if not self._restarting:
            self._for_good = True
            self.loop.stop()
        elif not self._leaving:
            self._leaving = True
            threading.Thread(target=self._leave, name="leaving", daemon=True).start()

    def _leave(self) -> None:
        """In a thread: end what may wait, then the loop."""
        for end in reversed(self._ends):
            end()
        self.loop.wake(self._leave_loop)

    def _leave_loop(self) -> None:
        self.announce_restart()
        # Until then endpoints with traffic have asked again, and been told.
        self.loop.call_later(_ANNOUNCED_S, self.loop.stop)

    def _tend(self) -> None:
        # A collection over all objects would hold up the packets for tens of milliseconds:
        # those that have lived for a second are not looked at again.
        if not self._changing.locked():
            gc.collect()
            gc.freeze()
        self.engine.tend()
        self.tend()
        self.loop.call_later(_TEND_INTERVAL_S, self._tend)

    def _reload(self) -> None:
        systemd.reloading()
        threading.Thread(target=self._read_again, name="reload", daemon=True).start()

    def _read_again(self) -> None:
        """In a thread: a large file takes a while to read, and what it wants to be in place."""
        with self._changing:
            candidate = self._read()
            error = self._in_loop(lambda: self._in_force.reload(candidate))
            self.settle()
            self.revocations.configure(_api(self.config))
        self.loop.wake(lambda: self._reloaded(error))

    def review_pushed(self) -> None:
        """Leave out what is pushed where `lay_running` refuses it now, and ask for what it refused.

        In another thread. What was edited since waits for its reload. Raises OSError.
        """
        with self._changing:
            if not self._in_force.pushed.version:
                if self._in_force.error is not None:
                    self.loop.wake(self._companion.restart)
                return
            if held.changed(self._in_force.held):
                log.info("what is pushed is looked at again with the next reload")
                return
            candidate = self._read()
            if candidate.version == self._in_force.pushed:
                return
            error = self._in_loop(lambda: self._in_force.reload(candidate))
            self.settle()
        self.loop.wake(lambda: self._tell_taken_over(error))

    def _read(self, version: Pushed | None = None) -> Candidate[Config]:
        """Thousands of objects come to stay: looking at them would hold up the packets too."""
        gc.disable()
        try:
            return self._in_force.read(version)
        finally:
            gc.freeze()
            gc.enable()

    def _in_loop(self, action: Callable[[], str | None]) -> str | None:
        """What `action` returns in the packet loop; called in another thread."""
        done: Future[str | None] = Future()
        self.loop.wake(lambda: done.set_result(action()))
        try:
            return done.result(_TAKE_OVER_TIMEOUT_S)
        except FutureTimeout:  # not the built-in one before Python 3.11
            raise TimeoutError("the packet loop does not answer") from None

    def _reloaded(self, error: str | None) -> None:
        self._reloads = self._reloads.after(error)
        self._tell_taken_over(error)

    def _tell_taken_over(self, error: str | None) -> None:
        if error is None:
            self._companion.restart()
            log.info("configuration reloaded")
        else:
            log.error("not reloaded, the configuration in force stays: %s", error)
        systemd.ready(self.ready)

    def _try_take_over(self, config: Config) -> None:
        try:
            open_log(self._path, config, self.SECTION)
            self.take_over(config)
        except (ConfigError, *self.REFUSALS) as error:
            raise Refused(str(error)) from error

    # -- commands; they run in the control thread

    def _stopping(self, request: dict[str, Any]) -> dict[str, Any]:
        """`nrs stopping`: whether the SIGTERM that follows is for a restart."""
        self._restarting = bool(request.get("restarting")) and self.store.available
        return {"restarting": self._restarting}

    def _apply_config(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take over a pushed configuration and keep it; one that fails changes nothing."""
        version = Pushed(int(request["version"]), dict(request["config"]))
        with self._changing:
            candidate = self._read(version)
            error = self._in_loop(lambda: self._push(candidate))
            self.settle()
        return {"error": error}

    def _push(self, candidate: Candidate[Config]) -> str | None:
        error = self._in_force.push(candidate)
        if error is None:
            # Not at once: it is the companion that waits for the answer to this push.
            self.loop.call_later(_TEND_INTERVAL_S, self._companion.renew)
        return error

    def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "role": self.UNIT,
            **standing(self._release, self._in_force.held, self._reloads),
            "codec": self.codec.name,
            "crypto": self.codec.crypto.used,
            **self.status(),
            **self.revocations.status(),
            "figures": self.engine.figures.as_dict(),
            "scheduling": self._scheduling.as_dict(),
            "longest_turn_ms": round(self.loop.longest_turn_s * 1000, 2),
            "longest_wait_ms": round(self.loop.longest_wait_s * 1000, 2),
            "config_version": self._in_force.pushed.version,
            "config_error": self._in_force.error,
        }


def _left_secret_warning(config: BaseModel) -> str | None:
    return _api(config).left_secret_warning


def _api(config: BaseModel) -> Api:
    found: Api = getattr(config, "api")  # noqa: B009 - every device has this section
    return found
