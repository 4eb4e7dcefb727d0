# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action: see the module of the same name for its documentation."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.nrs.network_routing.plugins.plugin_utils import _backup
from ansible_collections.nrs.network_routing.plugins.plugin_utils._vaulted_file import VaultedFile


class ActionModule(ActionBase):
    """The action of this file."""

    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the archive. Raises AnsibleActionFail."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(
            argument_spec={
                "file": {"type": "path", "required": True},
                "secrets_directory": {"type": "path", "required": True},
                "registries": {"type": "dict", "default": {}},
                "replace": {"type": "bool", "default": False},
            }
        )
        file, directory = Path(given["file"]), Path(given["secrets_directory"])
        try:
            present = _backup.files(directory)
        except OSError as error:
            raise AnsibleActionFail("%s: %s" % (error.filename, error.strerror)) from error
        content = {_backup.SECRETS + name: data for name, data in present.items()}
        fresh = {
            _backup.REGISTRIES + host: base64.b64decode(encoded or "")
            for host, encoded in given["registries"].items()
        }
        content |= {name: copy for name, copy in fresh.items() if copy}
        if not content:
            raise AnsibleActionFail("nothing to back up: no secrets in %s" % directory)
        if file.resolve().is_relative_to(directory.resolve()):
            raise AnsibleActionFail("%s: a backup in the directory that it is of" % file)
        archive = VaultedFile(file, self._loader)
        before = _held(archive) if file.exists() else {}
        lost = [] if given["replace"] else _backup.lost(before, content)
        if lost:
            raise AnsibleActionFail(
                "%s: not written over, as it has what %s lacks: %s. Put it back by restore.yml; -e"
                " nrs_backup_replace=true writes a backup without it"
                % (file, directory, ", ".join(name[len(_backup.SECRETS) :] for name in lost))
            )
        # Of a controller that could not be asked the last copy stays, or that has lost its devices.
        earlier = {n: data for n, data in before.items() if n.startswith(_backup.REGISTRIES)}
        emptied = [n for n in earlier if n in fresh and _backup.devices(fresh[n]) == 0]
        emptied = [n for n in emptied if not given["replace"] and _backup.devices(earlier[n]) > 0]
        content = {**earlier, **content, **{name: earlier[name] for name in emptied}}
        changed = before != content
        if changed and not self._task.check_mode:
            archive.write(_backup.packed(content))
        hosts = sorted(name[len(_backup.REGISTRIES) :] for name in emptied)
        return {**result, "changed": changed, "contents": sorted(content), "emptied": hosts}


def _held(archive: VaultedFile) -> dict[str, bytes]:
    """Of an earlier backup; only one is written over."""
    try:
        return _backup.unpacked(archive.read())
    except (AnsibleError, _backup.NoBackup) as error:
        raise AnsibleActionFail(
            "%s: not written over, as it is no backup that this run can read" % error
        ) from error
