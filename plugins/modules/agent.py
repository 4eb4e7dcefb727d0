#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: an agent that runs with what is on its host's disk, and works."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent
short_description: Have an agent run with the release, unit and files on its host
version_added: "1.0.0"
description:
  - Asks systemd and the agent's control socket what is in force, and starts, reloads or restarts
    the agent where that is not what is on the disk, whichever run has written it.
  - Then waits until the agent works, and fails with the last lines of its journal where it does
    not. It answers on its control socket, is of the release, goes by its files, systemd does not
    have to start it again, and after a restart that no file asked for at least nine tenths of its
    tunnels are up again.
  - A reload that the agent refuses changes nothing, and fails. It is restarted only for what takes
    a restart, and with a configuration that the installed release takes.
options:
  unit:
    description: The agent's unit.
    type: str
    required: true
    choices: [load_balancer, network_controller, routing_server, network_access_endpoint]
  release:
    description: The stamp of the release that is installed.
    type: str
    required: true
  configuration:
    description: The agent's file.
    type: path
    required: true
  command:
    description: The agents' command, which tells whether the file is valid.
    type: path
    required: true
  settle:
    description:
      - Seconds that the agent has to run without systemd starting it again.
      - It is 20 where that has happened before.
    type: float
    default: 3.0
  wait:
    description: Seconds to wait for it to work.
    type: float
    default: 40.0
attributes:
  check_mode:
    description: Can run in check mode and then only says what it would do.
    support: full
author:
  - Contributors to the network routing system (@nrs)
"""

EXAMPLES = r"""
- name: Have the routing server run with what was written
  nrs.network_routing.agent:
    unit: routing_server
    release: "{{ stamp }}"
    configuration: /etc/network-routing-system/routing_server.yaml
    command: /usr/local/bin/nrs
"""

RETURN = r"""
done:
  description: What was done, each with why.
  returned: success
  type: list
  elements: str
  sample: ["restart: its unit has changed"]
tunnels:
  description: How many of its tunnels are up.
  returned: when it works
  type: int
"""

import re
import time
from pathlib import Path
from typing import NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.nrs.network_routing.plugins.module_utils import _control
from ansible_collections.nrs.network_routing.plugins.module_utils._agent import (
    RUNS,
    Seen,
    Step,
    expected,
    failure,
    lack,
    settling,
    step,
)

_PROPERTIES = (
    "ActiveState,MainPID,NRestarts,UnitFileState,FragmentPath,Environment,"
    "ExecMainStartTimestampMonotonic"
)
_STAMP = "NRS_UNIT="
_POLL_S = 0.2
_JOURNAL_LINES = "10"
_OPTIONS = {
    "unit": {
        "type": "str",
        "required": True,
        "choices": [
            "load_balancer",
            "network_controller",
            "routing_server",
            "network_access_endpoint",
        ],
    },
    "release": {"type": "str", "required": True},
    "configuration": {"type": "path", "required": True},
    "command": {"type": "path", "required": True},
    "settle": {"type": "float", "default": 3.0},
    "wait": {"type": "float", "default": 40.0},
}


class AgentModule(AnsibleModule):
    """Takes the steps and watches what comes of them."""

    def __init__(self) -> None:
        super().__init__(argument_spec=_OPTIONS, supports_check_mode=True)
        self._unit: str = self.params["unit"]
        self._release: str = self.params["release"]
        self._done: list[str] = []

    def run(self) -> NoReturn:
        """Exit, or fail with what the agent said."""
        before = self._look()
        first = step(before, self._release)
        if not before.enabled:
            self._systemctl("enable", "it would not run after a boot")
        if first is not None:
            self._take(first)
        if self.check_mode:
            self.exit_json(changed=bool(self._done), done=self._done)
        since = self._look()
        if first is not None and first.verb == "reload":
            since = self._reloaded(before)
        settle = settling(before, self.params["settle"])
        works = self._watch(since, expected(before, first), settle)
        self.exit_json(changed=bool(self._done), done=self._done, tunnels=len(works.peers))
        raise AssertionError("exit_json returned")

    def _take(self, taken: Step) -> None:
        if taken.verb == "restart" and not self.check_mode:
            self._check()
        if taken.verb != "reload" and not self.check_mode:
            self.run_command(["systemctl", "daemon-reload"], check_rc=True)
        self._systemctl(taken.verb, taken.why)

    def _check(self) -> None:
        """Fails where the release that is installed refuses the files."""
        command = [self.params["command"], "check-config", "--unit", self._unit]
        rc, _out, refused = self.run_command([*command, self.params["configuration"]])
        if rc != 0:
            self._fail("it goes on as it was, for its files are no good: %s" % refused.strip())

    def _systemctl(self, verb: str, why: str) -> None:
        self._done.append("%s: %s" % (verb, why))
        if not self.check_mode:
            # That another one fails is seen, with more to say, by watching.
            self.run_command(["systemctl", verb, self._unit], check_rc=verb == "enable")

    def _reloaded(self, before: Seen) -> Seen:
        """After the files were read again; restarts where they take that."""
        count = (before.status or {}).get("reloads", 0)
        until = time.monotonic() + self.params["wait"]
        seen = before
        while (seen.status or {}).get("reloads", 0) <= count and time.monotonic() < until:
            time.sleep(_POLL_S)
            seen = self._look()
            if why := failure(seen, before):
                self._fail(why)
        told = seen.status or {}
        if not seen.stale or not told.get("reload_error"):
            return seen
        if not told.get("restart_needed"):
            self._fail("it goes on as it was and refuses its files: %s" % told["reload_error"])
        self._take(Step("restart", told["reload_error"]))
        return self._look()

    def _watch(self, since: Seen, peers: set[str], settle: float) -> Seen:
        """Once it works. Fails where it does not."""
        until = time.monotonic() + self.params["wait"]
        seen = since
        while why := lack(seen, self._release, peers, settle):
            if time.monotonic() > until:
                self._fail(why)
            time.sleep(_POLL_S)
            seen = self._look()
            if over := failure(seen, since):
                self._fail(over)
        return seen

    def _look(self) -> Seen:
        command = ["systemctl", "show", "--property", _PROPERTIES, self._unit]
        _rc, said, _err = self.run_command(command, check_rc=True)
        found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        pid, state = int(found.get("MainPID") or 0), found.get("ActiveState", "inactive")
        started = int(found.get("ExecMainStartTimestampMonotonic") or 0) / 1e6
        status = _control.status(self._unit) if pid else None
        # One that is only being started may not have its variables yet.
        variables = (
            _read("/proc/%d/environ" % pid) if state in RUNS else found.get("Environment", "")
        )
        # Root may not read those of a process everywhere.
        loaded = _stamp(variables) if status is None else status.get("unit", "")
        return Seen(
            state=state,
            restarts=int(found.get("NRestarts") or 0),
            age=time.monotonic() - started,
            enabled=found.get("UnitFileState") == "enabled",
            written=_stamp(_read(found.get("FragmentPath", ""))),
            loaded=loaded,
            status=status,
        )

    def _fail(self, why: str) -> NoReturn:
        command = ["journalctl", "--no-pager", "--quiet", "--output=cat", "--lines", _JOURNAL_LINES]
        _rc, said, _err = self.run_command([*command, "--unit", self._unit])
        lines = ["%s does not work: %s" % (self._unit, why), *said.splitlines()]
        self.fail_json(msg="\n".join(lines), changed=bool(self._done), done=self._done)
        raise AssertionError("fail_json returned")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _stamp(text: str) -> str:
    """What stands behind NRS_UNIT= in a unit's file, among its variables or a process's."""
    found = re.search(_STAMP + r"([0-9a-f]+)", text)
    return found.group(1) if found else ""


def main() -> None:
    """Run the module."""
    AgentModule().run()


if __name__ == "__main__":
    main()
