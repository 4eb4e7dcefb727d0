"""An API service as a process: its socket, threads, signals, and what it tells systemd."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from nrs.api.server import HttpService, listen
from nrs.config.loader import ConfigError
from nrs.config.types import IPAddress
from nrs.system import logs, systemd
from nrs.system.control import ControlThread, Handler, socket_path

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_TICK_S = 1.0
_STOP_TIMEOUT_S = 5.0

log = logging.getLogger(__name__)


class ListenError(Exception):
    """An address that cannot be listened on now."""


class Daemon:
    """Serves `app` on `listener`, and `handlers` on the control socket of `unit`.

    On SIGHUP `reload` is called; what it raises as ConfigError is logged and the service
    goes on as it was. `tick` is called about once a second, `stopped` once no request is served
    any more.
    """

    def __init__(
        self,
        unit: str,
        app: Flask,
        listener: socket.socket,
        handlers: Mapping[str, Handler],
        *,
        reload: Callable[[], None],
        tick: Callable[[], None] = lambda: None,
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        address, port = listener.getsockname()[:2]
        self._where = f"serving on {address} port {port}"
        self._http = HttpService(app, listener)
        self._control = _control(unit, handlers)
        self._reload = reload
        self._tick = tick
        self._stopped = stopped

    def serve(self) -> int:
        """Answer requests until SIGTERM or SIGINT; the exit status."""
        http = threading.Thread(target=self._http.run, name="http", daemon=True)
        http.start()
        if self._control is not None:
            self._control.start()
        log.info("%s", self._where)
        systemd.ready(self._where)
        status = self._wait(http)
        systemd.stopping()
        self._http.stop()
        http.join(_STOP_TIMEOUT_S)
        self._stopped()
        if self._control is not None:
            self._control.stop()
        log.info("stopped")
        return status

    def _wait(self, http: threading.Thread) -> int:
        while http.is_alive():
            received = signal.sigtimedwait(_SIGNALS, _TICK_S)
            if received is None:
                self._tick()
            elif received.si_signo == signal.SIGHUP:
                self._reload_or_keep()
            else:
                return 0
        log.error("the HTTP service ended by itself")
        return 1

    def _reload_or_keep(self) -> None:
        systemd.reloading()
        try:
            self._reload()
        except ConfigError as error:
            log.error("the configuration stays as it was: %s", error)
        else:
            log.info("configuration reloaded")
        systemd.ready(self._where)


def run(start: Callable[[], Daemon]) -> int:
    """Serve what `start` makes; the exit status.

    2 says that the configuration is wrong, so that systemd does not try again, 1
    that the host does not allow something yet, such as an address in use.
    """
    # Threads inherit the mask, so that signals reach the main thread's wait and nothing else.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        daemon = start()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except ListenError as error:
        print(error, file=sys.stderr)
        return 1
    else:
        return daemon.serve()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def status(unit: str, **own: Any) -> dict[str, Any]:
    """What a service answers `nrs status`: what every agent says of itself, and its `own`."""
    return {
        "role": unit,
        "id": socket.gethostname(),
        "codec": None,
        "offloads": [],
        "tunnels": [],
        **own,
    }


def open_log(log_file: Path | None, source: str) -> None:
    """Log to standard error and `log_file`. Raises ConfigError that names `source`."""
    try:
        logs.configure(log_file)
    except OSError as error:
        raise ConfigError(f"{source}.log_file: {log_file}: {error.strerror}") from None


def open_listener(address: IPAddress, port: int, source: str) -> socket.socket:
    """Listen on `address`. Raises ListenError that names `source`."""
    try:
        return listen(str(address), port)
    except OSError as error:
        raise ListenError(
            f"{source}: cannot listen on {address} port {port}: {error.strerror}"
        ) from None


def _control(unit: str, handlers: Mapping[str, Handler]) -> ControlThread | None:
    path = socket_path(unit)
    try:
        return ControlThread(path, handlers)
    except OSError as error:
        log.warning("no control socket, so `nrs status` cannot ask here: %s: %s", path, error)
        return None
