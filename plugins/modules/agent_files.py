#!/usr/bin/python
# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module: an agent's configuration and its keys, written together or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_files
short_description: Write an agent's configuration and keys together
version_added: "1.0.0"
description:
  - Has the agents' command check a configuration with the keys that go with it, and only then puts
    all of them into the place of those before. One that is refused leaves all files as they were.
options:
  unit:
    description: The agent's unit, after which its file is named.
    type: str
    required: true
  directory:
    description: Where the files are.
    type: path
    required: true
  user:
    description: Who owns the keys, and whose group reads the configuration.
    type: str
    required: true
  command:
    description: The agents' command.
    type: path
    required: true
  configuration:
    description: The content of the agent's file. It names keys in O(directory) by quoted paths.
    type: str
    required: true
  secrets:
    description:
      - What keys and passwords hold, by the names of their files.
      - Empty for a file that is to go.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in check mode, in which nothing is checked by the command.
    support: full
  diff_mode:
    description: Shows how the configuration changes, and of the secrets only which do.
    support: full
author:
  - Contributors to the network routing system (@nrs)
"""

EXAMPLES = r"""
- name: Change the PSK and its epoch
  nrs.network_routing.agent_files:
    unit: routing_server
    directory: /etc/network-routing-system
    user: nrs
    command: /usr/local/bin/nrs
    configuration: "{{ lookup('ansible.builtin.template', 'routing_server.yaml.j2') }}"
    secrets:
      psk: "{{ nrs_psk }}"
"""

RETURN = r"""
files:
  description: The names of the files that were changed.
  returned: success
  type: list
  elements: str
"""

import dataclasses
import grp
import os
import pwd
import stat
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

_OPTIONS = {
    "unit": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "user": {"type": "str", "required": True},
    "command": {"type": "path", "required": True},
    "configuration": {"type": "str", "required": True},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file as it is to be; one without text is to go."""

    name: str
    text: str
    uid: int
    gid: int
    mode: int

    def stands(self, directory: Path) -> bool:
        """Whether it is so already."""
        path = directory / self.name
        if not self.text or not path.is_file():
            return not self.text and not path.exists()
        found = path.stat()
        owned = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))
        return owned == (self.uid, self.gid, self.mode) and path.read_bytes() == self.text.encode()

    def write(self, directory: Path) -> None:
        """Have it there for its owner."""
        handle = os.open(directory / self.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(self.text.encode())
            stream.flush()
            os.fchown(stream.fileno(), self.uid, self.gid)
            os.fchmod(stream.fileno(), self.mode)
            os.fsync(stream.fileno())


class FilesModule(AnsibleModule):
    """Stages, checks and moves."""

    def __init__(self) -> None:
        super().__init__(argument_spec=_OPTIONS, supports_check_mode=True)
        self._directory = Path(self.params["directory"])
        self._file: str = self.params["unit"] + ".yaml"

    def run(self) -> NoReturn:
        """Exit, or fail with what the command said."""
        path = self._directory / self._file
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        wanted = self._wanted()
        changed = [file for file in wanted if not file.stands(self._directory)]
        if changed and not self.check_mode:
            with tempfile.TemporaryDirectory(dir=self._directory, prefix=".staged-") as staged:
                self._validate(wanted, Path(staged))
                self._put(changed, Path(staged))
        names = [file.name for file in changed]
        self.exit_json(changed=bool(names), files=names, diff=self._shown(names, before))
        raise AssertionError("exit_json returned")

    def _wanted(self) -> list[Wanted]:
        try:
            owner = pwd.getpwnam(self.params["user"])
            uid, gid = owner.pw_uid, grp.getgrgid(owner.pw_gid).gr_gid
        except KeyError:
            if not self.check_mode:
                self.fail_json(msg="there is no user %s" % self.params["user"])
            uid = gid = 0
        secrets = [
            Wanted(name, _line(text), uid, gid, 0o600)
            for name, text in sorted(self.params["secrets"].items())
        ]
        return [*secrets, Wanted(self._file, _line(self.params["configuration"]), 0, gid, 0o640)]

    def _validate(self, wanted: list[Wanted], staged: Path) -> None:
        """Fails where the command refuses the configuration with its keys."""
        trial = staged / "trial"
        trial.mkdir(mode=0o700)
        text = wanted[-1].text
        for file in wanted[:-1]:
            text = text.replace(
                '"%s"' % (self._directory / file.name), '"%s"' % (trial / file.name)
            )
            if file.text:
                file.write(trial)
        dataclasses.replace(wanted[-1], text=text).write(trial)
        command = [self.params["command"], "check-config", "--unit", self.params["unit"]]
        rc, _out, refused = self.run_command([*command, str(trial / self._file)])
        if rc != 0:
            said = refused.strip().replace(str(trial), str(self._directory))
            self.fail_json(msg="nothing was changed: %s" % said)

    def _put(self, changed: list[Wanted], staged: Path) -> None:
        for file in changed:
            if file.text:
                file.write(staged)
        # A key goes when no file in place names it any more.
        for file in sorted(changed, key=lambda file: not file.text):
            if file.text:
                (staged / file.name).replace(self._directory / file.name)
            else:
                (self._directory / file.name).unlink()

    def _shown(self, names: list[str], before: str) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = []
        if self._file in names:
            after = _line(self.params["configuration"])
            header = str(self._directory / self._file)
            shown.append({"before_header": header, "before": before, "after_header": header})
            shown[0]["after"] = after
        return [*shown, *({"prepared": "%s changes\n" % n} for n in names if n != self._file)]


def _line(text: Any) -> str:
    """With one line end after it; nothing for nothing."""
    stripped = str(text or "").rstrip("\n")
    return stripped + "\n" if stripped else ""


def main() -> None:
    """Run the module."""
    FilesModule().run()


if __name__ == "__main__":
    main()
