"""What the load balancer and the controller have in common: an HTTP API as a process."""

from __future__ import annotations

import contextlib
import logging
import resource
import signal
import socket
import ssl
import sys
import threading
import time
from abc import abstractmethod
from typing import Any

from flask import Flask
from pydantic import BaseModel

from nrs.agent.revocation_peer import RevocationPeer
from nrs.agent.run import Agent, Config, Start, open_log
from nrs.agent.standing import TAKES_A_RESTART, Reloads, standing
from nrs.api import operation, service, shown, tls
from nrs.api.auth import Trust
from nrs.api.listener import listen
from nrs.api.server import HttpService
from nrs.api.trust import trust_of
from nrs.config import pushed
from nrs.config.held import NotingReader
from nrs.config.loader import ConfigError, load
from nrs.config.service_api import ServiceApi
from nrs.config.types import IPAddress
from nrs.identity import certificate
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import RevocationsRefused
from nrs.system import ipv6, systemd
from nrs.system.control import ControlThread, socket_path

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_TICK_S = 1.0
_STOP_TIMEOUT_S = 5.0
_DAY_S = 86400.0
_SWITCH_INTERVAL_S = 0.0005

log = logging.getLogger(__name__)


class ServiceAgent(Agent[Config]):
    """Serves its app, and its status on the control socket.

    A subclass begins with `listen`, so that nothing is touched while another one runs, and ends
    with `offer`.
    """

    def __init__(self, start: Start[Config]) -> None:
        """Raises nothing."""
        # Threads inherit the mask, so that signals reach the main thread's wait and nothing else.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        start.cleanup.callback(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
        self.config = start.config
        self.cleanup = start.cleanup
        self.path = start.path
        self._release = start.release
        self._held = start.held
        self._reloads = Reloads()
        self._peers = start.cleanup.enter_context(contextlib.ExitStack())

    # -- what a subclass says

    @abstractmethod
    def fixed(self, config: Config) -> dict[str, object]:
        """The values that a running service cannot change, by what they are called."""

    @abstractmethod
    def take_over(self, config: Config) -> None:
        """Go by another configuration. Raises ConfigError, and goes on as it was."""

    @abstractmethod
    def tick(self) -> None:
        """Called about once a second."""

    @abstractmethod
    def status(self) -> dict[str, Any]:
        """Its own part of `nrs status --json`. Called in another thread. Raises ValueError."""

    # -- set-up

    def listen(self, address: IPAddress, port: int) -> None:
        """Have the port. Raises OSError that names the file."""
        self._address = address
        try:
            self._listener = listen(ipv6.bindable(str(address)), port)
        except OSError as error:
            raise OSError(
                f"{self.path}: {self.SECTION}: cannot listen on {address} port {port}:"
                f" {error.strerror}"
            ) from None
        self.cleanup.callback(self._listener.close)

    def trust(self, api: ServiceApi, before: RevocationFile | None = None) -> Trust:
        """Whom the API believes; `before` is as in `trust_of`. Raises ConfigError."""
        try:
            return trust_of(api, pushed.state_directory(self.UNIT), before)
        except (RevocationsRefused, ValueError) as error:
            raise ConfigError(f"{self.path}: api: {error}") from None

    def offer(self, app: Flask) -> None:
        """What is to be served. Raises ConfigError."""
        api = _api(self.config)
        self._app = app
        self._http = HttpService(
            app,
            self._listener,
            context=self._context(api),
            plain=api.allow_plain,
            brief=operation.brief(app),
        )
        self._go_by(api, service.trust_in(app))

    def _go_by(self, api: ServiceApi, trust: Trust) -> None:
        """Believe `trust`, and ask the siblings for the revocations that it goes by."""
        service.believe(self._app, trust)
        self._peers.close()
        if api.peers and trust.revocations is not None:
            tokens = api.tokens(api.peers)
            for url in api.peers:
                peer = RevocationPeer(url, tokens, api.ca_file, trust.revocations)
                peer.start()
                self._peers.callback(peer.stop)
        if trust.verifier is None:
            log.warning(
                "%s: api.signers_file is missing, so nobody is served but this host", self.path
            )
        shown.show(self._app, api.shown)
        self._warn_at = 0.0

    def _warn_of_end(self) -> None:
        """Once a day, of a certificate that is to be renewed."""
        bundle = shown.shown_by(self._app)
        if bundle is None or time.monotonic() < self._warn_at:
            return
        self._warn_at = time.monotonic() + _DAY_S
        line = certificate.warning(bundle, time.time())
        if line is not None:
            log.warning("%s", line)

    def _store_revocations(self) -> None:
        """Try once more where a list could not be written."""
        kept = service.trust_in(self._app).revocations
        if kept is None or kept.unstored is None:
            return
        with contextlib.suppress(OSError):
            kept.store()
            log.info("the list of revocations is stored again")

    def _context(self, api: ServiceApi) -> ssl.SSLContext | None:
        """What it shows at the address that it has, whichever the file names by now."""
        try:
            api.check_bound(f"{self.SECTION}.bind_address in force", self._address)
            return tls.served_by(api)
        except ValueError as error:
            raise ConfigError(f"{self.path}: api: {error}") from None

    # -- running

    def serve(self) -> int:
        """Answer requests until SIGTERM or SIGINT; the exit status."""
        # A thread that computes is to give the one with the connections its turn soon.
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        http = threading.Thread(target=self._http.run, name="http", daemon=True)
        http.start()
        self._open_control()
        address, port = self._listener.getsockname()[:2]
        where = f"serving on {address} port {port}"
        log.info("%s", where)
        systemd.ready(where)
        status = self._wait(http, where)
        systemd.stopping()
        self._http.stop()
        http.join(_STOP_TIMEOUT_S)
        return status

    def _wait(self, http: threading.Thread, where: str) -> int:
        while http.is_alive():
            received = signal.sigtimedwait(_SIGNALS, _TICK_S)
            if received is None:
                self._warn_of_end()
                self._store_revocations()
                self.tick()
            elif received.si_signo == signal.SIGHUP:
                systemd.reloading()
                self._reloads = self._reloads.after(self._reload())
                systemd.ready(where)
            else:
                return 0
        log.error("the HTTP service ended by itself")
        return 1

    def _reload(self) -> str | None:
        """Go by the files as they are; what of them is not in force, and why."""
        read = NotingReader()
        try:
            config = load(self.path, self.model(), read=read)
            open_log(self.path, config, self.SECTION)
            before = self.fixed(self.config)
            waits = [what for what, value in self.fixed(config).items() if value != before[what]]
            for what in waits:
                log.warning("a changed %s needs a restart", what)
            api = _api(config)
            context = self._context(api)
            trust = self.trust(api, service.trust_in(self._app).revocations)
            self.take_over(config)
            self._go_by(api, trust)
            self._http.renew(context, plain=api.allow_plain)
        except ConfigError as error:
            log.error("the configuration stays as it was: %s", error)
            return str(error)
        log.info("configuration reloaded")
        if waits:
            return f"{', '.join(waits)} {TAKES_A_RESTART}"
        self._held = read.held
        return None

    def _open_control(self) -> None:
        path = socket_path(self.UNIT)
        try:
            control = ControlThread(path, {"status": self._status})
        except OSError as error:
            log.warning("no control socket, so `nrs status` cannot ask here: %s: %s", path, error)
            return
        control.start()
        self.cleanup.callback(control.stop)

    def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "role": self.UNIT,
            **standing(self._release, self._held, self._reloads),
            "id": socket.gethostname(),
            "codec": None,
            "offloads": [],
            "tunnels": [],
            "refused": self._http.refusals.as_dict(),
            **self.status(),
        }


def _api(config: BaseModel) -> ServiceApi:
    found: ServiceApi = getattr(config, "api")  # noqa: B009 - every service has this section
    return found
