"""The control socket through which `nrs status` asks a running agent.

A client sends one line of JSON, `{"command": NAME, ...}`, and reads one line of
JSON, `{"result": ...}` or `{"error": TEXT}`.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import select
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

RUNTIME_DIRECTORY = Path("/run/network-routing-system")
_LONGEST_REQUEST = 2 << 20
"""The longest is a list of revocations, of a million bytes."""
_LONGEST_REPLY = 16 << 20
"""The longest is a status: a router's has 3.5 MB with 10,000 tunnels of the longest names."""
_CLIENT_TIMEOUT_S = 5.0

log = logging.getLogger(__name__)
Handler = Callable[[dict[str, Any]], Any]


class ControlError(Exception):
    """The agent did not answer, or answered with an error."""


def socket_path(unit: str) -> Path:
    """The control socket of `unit`; `NRS_RUNTIME_DIRECTORY` moves it for a foreground run."""
    base = os.environ.get("NRS_RUNTIME_DIRECTORY")
    return (Path(base) if base else RUNTIME_DIRECTORY / unit) / f"{unit}.sock"


def listen(path: Path) -> socket.socket:
    """A listening control socket at `path`, mode 0600.

    Raises OSError, also when another agent answers there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead(path)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(8)
    except OSError:
        listener.close()
        raise
    return listener


def _remove_dead(path: Path) -> None:
    """Remove the socket that an agent which was killed left behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CLIENT_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, "another agent answers there")


def answer(connection: socket.socket, handlers: Mapping[str, Handler]) -> None:
    """Read one request from `connection`, answer it and close; raises nothing."""
    with connection:
        connection.settimeout(_CLIENT_TIMEOUT_S)
        try:
            request = _receive(connection, _LONGEST_REQUEST)
            connection.sendall(_reply(request, handlers) + b"\n")
        except OSError:
            return


def _reply(request: bytes, handlers: Mapping[str, Handler]) -> bytes:
    try:
        return json.dumps(_dispatch(request, handlers)).encode()
    except Exception:
        # A defect in one command must not end the thread or the loop that serves them all.
        log.exception("a control command failed")
        return b'{"error": "internal error; see the log of this agent"}'


def _receive(connection: socket.socket, most: int) -> bytes:
    """A line, or more than `most` bytes of one that is longer, or what came before the end."""
    data = bytearray()
    while len(data) <= most:
        chunk = connection.recv(65536)
        data += chunk
        if not chunk or b"\n" in chunk:
            break
    return bytes(data)


def _dispatch(request: bytes, handlers: Mapping[str, Handler]) -> dict[str, Any]:
    try:
        message = json.loads(request)
        command = message["command"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {"error": "malformed request"}
    handler = handlers.get(command) if isinstance(command, str) else None
    if handler is None:
        return {"error": f"unknown command {command!r}; known: {', '.join(sorted(handlers))}"}
    try:
        return {"result": handler(message)}
    except ValueError as error:
        return {"error": str(error)}


_TRY_AGAIN_S = 1.0


class ControlThread:
    """Serves the control socket from a thread, for agents without a packet loop."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._listener = listen(path)
        self._stop_reader, self._stop_writer = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and remove the socket."""
        if self._thread.is_alive():
            self._stop_writer.send(b"x")
            self._thread.join()
        for sock in (self._listener, self._stop_reader, self._stop_writer):
            sock.close()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._stop_reader, selectors.EVENT_READ)
            failed: int | None = None
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._stop_reader in ready:
                    return
                try:
                    connection, _ = self._listener.accept()
                except OSError as error:
                    if error.errno != failed:
                        log.warning("control connections are not accepted: %s", error.strerror)
                    failed = error.errno
                    # Who waits is there still: without descriptors it would be asked at once again.
                    select.select([self._stop_reader], [], [], _TRY_AGAIN_S)
                    continue
                failed = None
                answer(connection, self._handlers)


def request(path: Path, command: str, **arguments: Any) -> Any:
    """Ask the agent behind `path`. Raises ControlError."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_CLIENT_TIMEOUT_S)
            sock.connect(str(path))
            sock.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            data = _receive(sock, _LONGEST_REPLY)
    except OSError as error:
        raise ControlError(f"no answer from the agent at {path}: {error}") from None
    if len(data) > _LONGEST_REPLY:
        raise ControlError(
            f"the agent at {path} answers {command} with more than {_LONGEST_REPLY >> 20} MiB"
        )
    try:
        reply = json.loads(data)
        if "error" in reply:
            raise ControlError(reply["error"])
        return reply["result"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ControlError(f"no answer from the agent at {path}: {error}") from None
