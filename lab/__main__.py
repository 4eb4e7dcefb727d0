"""The command line of `bin/lab`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab import control
from lab.faults import Faults
from lab.network import Network
from lab.podman import Podman
from lab.progress import Progress
from lab.settings import Settings, from_environment
from lab.topology import Host, Interface, lab
from testbed.failed import Failed

if TYPE_CHECKING:
    from lab.hosts import Hosts


def main(words: Sequence[str]) -> int:
    arguments = parser().parse_args(words)
    try:
        return Commands(from_environment()).run(arguments)
    except Failed as error:
        print(f"bin/lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bin/lab: interrupted; the same command again carries on", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="bin/lab",
        description="Real hosts on this machine, with the system deployed on them.",
        epilog="NRS_LAB_ROOT (/var/lib/nrs-lab) and NRS_LAB_NAME (nrs) tell labs apart.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="start the hosts, deploy the system and verify it")
    up.add_argument("-v", "--verbose", action="store_true", help="show all that Ansible says")
    hosts = commands.add_parser("hosts", help="start the hosts only, with nothing deployed")
    hosts.add_argument("host", nargs="*", help="only these (default: all)")
    down = commands.add_parser("down", help="remove the lab; image and venv stay as caches")
    down.add_argument("--all", action="store_true", help="remove the caches too")
    commands.add_parser("status", help="hosts, links, faults and tunnels")

    execute = commands.add_parser("exec", help="run a command in a host")
    execute.add_argument("host")
    execute.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")
    ctl = commands.add_parser("ctl", help="run a command at the control node")
    ctl.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")

    cut = commands.add_parser("cut", help="pull the cable of an interface")
    join = commands.add_parser("join", help="put it back")
    for command in (cut, join):
        command.add_argument("host")
        command.add_argument("interface", metavar="IF")
    blackhole = commands.add_parser(
        "blackhole", help="drop all packets between two hosts, silently; links stay up"
    )
    unblackhole = commands.add_parser("unblackhole", help="let them pass again")
    for command in (blackhole, unblackhole):
        command.add_argument("host")
        command.add_argument("peer")
    return top


class Commands:
    """What each command does; each returns an exit status.

    Modules that only the slow commands need are imported by these: `exec` is to cost
    little more than what it runs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topology = lab()
        self._network = Network(settings.name, self._topology)
        self._progress = Progress()

    def run(self, arguments: argparse.Namespace) -> int:
        actions = {
            "up": self._up,
            "hosts": self._start_hosts,
            "down": self._down,
            "status": self._status,
            "exec": self._exec,
            "ctl": self._ctl,
            "cut": self._cut,
            "join": self._join,
            "blackhole": self._blackhole,
            "unblackhole": self._unblackhole,
        }
        return actions[arguments.command](arguments)

    def _up(self, arguments: argparse.Namespace) -> int:
        from lab import deploy, observe, report  # noqa: PLC0415

        hosts = self._hosts()
        hosts.up()
        deploy.deploy(self._settings, self._network, self._progress, verbose=arguments.verbose)
        self._progress.say("the lab is up")
        found = observe.deployment(hosts, self._settings)
        print(f"\n{found.text()}\n\n{report.next_steps(found.tunnels)}")
        return 0

    def _start_hosts(self, arguments: argparse.Namespace) -> int:
        self._hosts().up([self._host(name) for name in arguments.host])
        return 0

    def _down(self, arguments: argparse.Namespace) -> int:
        self._hosts().down(everything=arguments.all)
        return 0

    def _status(self, arguments: argparse.Namespace) -> int:
        from lab import observe  # noqa: PLC0415

        hosts = self._hosts()
        if not self._network.names():
            print("the lab is down: bin/lab up")
            return 1
        print(observe.hosts_table(hosts))
        for one, other in hosts.faults.present():
            print(f"packets between {one} and {other} are dropped")
        if observe.deployed(hosts):
            print(f"\n{observe.deployment(hosts, self._settings).text()}")
        return 0

    def _exec(self, arguments: argparse.Namespace) -> int:
        host = self._host(arguments.host)
        Podman(self._settings).replace_with_exec(host, _command(arguments))

    def _ctl(self, arguments: argparse.Namespace) -> int:
        control.replace_with(self._settings, self._network, _command(arguments))

    def _cut(self, arguments: argparse.Namespace) -> int:
        self._network.cut(*self._interface(arguments))
        return 0

    def _join(self, arguments: argparse.Namespace) -> int:
        self._network.join(*self._interface(arguments))
        return 0

    def _blackhole(self, arguments: argparse.Namespace) -> int:
        return self._drop(arguments, drop=True)

    def _unblackhole(self, arguments: argparse.Namespace) -> int:
        return self._drop(arguments, drop=False)

    def _drop(self, arguments: argparse.Namespace, *, drop: bool) -> int:
        host, peer = self._host(arguments.host), self._host(arguments.peer)
        if host == peer:
            raise Failed("a host and its peer are two hosts")
        segments = Faults(self._network, self._topology).set(host, peer, drop=drop)
        where = " and ".join(segment.name for segment in segments)
        what = "are dropped" if drop else "pass"
        print(f"packets between {host.name} and {peer.name} {what} ({where})")
        return 0

    def _hosts(self) -> Hosts:
        from lab.hosts import Hosts  # noqa: PLC0415

        return Hosts(self._settings, self._topology, self._progress)

    def _host(self, name: str) -> Host:
        try:
            return self._topology.host(name)
        except KeyError:
            known = " ".join(host.name for host in self._topology.hosts)
            raise Failed(f"no host {name}; there are: {known}") from None

    def _interface(self, arguments: argparse.Namespace) -> tuple[Host, Interface]:
        host = self._host(arguments.host)
        try:
            return host, host.interface(arguments.interface)
        except KeyError:
            known = " ".join(interface.name for interface in host.interfaces)
            raise Failed(
                f"{host.name} has no interface {arguments.interface}; it has: {known}"
            ) from None


def _command(arguments: argparse.Namespace) -> list[str]:
    words: list[str] = arguments.words
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        raise Failed(f"{arguments.command}: which command?")
    return words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
