# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action: see the module of the same name for its documentation."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.nrs.network_routing.plugins.plugin_utils import _backup
from ansible_collections.nrs.network_routing.plugins.plugin_utils._vaulted_file import (
    VaultedFile,
    put,
)

_PUBLIC = {"public_keys": 0o644, "revocations": 0o640}


class ActionModule(ActionBase):
    """The action of this file."""

    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Put secrets back."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(
            argument_spec={
                "file": {"type": "path", "required": True},
                "secrets_directory": {"type": "path", "required": True},
                "replace": {"type": "bool", "default": False},
                "thrown_away": {"type": "str", "default": ""},
            }
        )
        try:
            done = self._restore(
                Path(given["file"]),
                Path(given["secrets_directory"]),
                replace=given["replace"],
                thrown_away=given["thrown_away"],
            )
        except AnsibleError as error:  # raised, it would be hidden where the task's result is
            return {**result, "failed": True, "msg": str(error)}
        return {**result, **done}

    def _restore(
        self, file: Path, directory: Path, *, replace: bool, thrown_away: str
    ) -> dict[str, Any]:
        try:
            held = _backup.unpacked(VaultedFile(file, self._loader).read())
            present = _backup.files(directory)
        except _backup.NoBackup as error:
            raise AnsibleError("%s: %s" % (file, error)) from error
        except OSError as error:
            raise AnsibleError("%s: %s" % (error.filename, error.strerror)) from error
        wanted = _backup.restoring(_below(_backup.SECRETS, held), present, replace=replace)
        if wanted.different and not replace:
            raise AnsibleError(
                "%s has secrets that differ from those in %s: %s; nothing was changed. Hosts may go"
                " by either: move those that are wrong away, or put all of the backup in their"
                " place with -e nrs_restore_replace=true"
                % (directory, file, ", ".join(sorted(wanted.different)))
            )
        changes = {**wanted.missing, **wanted.different}
        if changes and thrown_away:
            raise AnsibleError(
                "%s: not put back, as %s %s. Set nrs_secrets_directory to a directory that is kept;"
                " -e nrs_secrets_kept=true says that it is kept all the same"
                % (", ".join(sorted(changes)), directory, thrown_away)
            )
        if changes and not self._task.check_mode:
            _write(directory, changes)
        registries = _below(_backup.REGISTRIES, held)
        encoded = {host: base64.b64encode(data).decode() for host, data in registries.items()}
        found = {"restored": sorted(changes), "kept": wanted.kept, "registries": encoded}
        return {**found, "changed": bool(changes)}


def _below(top: str, held: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name[len(top) :]: data for name, data in held.items() if name.startswith(top)}


def _write(directory: Path, changes: Mapping[str, bytes]) -> None:
    try:
        if not directory.is_dir():
            directory.mkdir(mode=0o700, parents=True)
            (directory / ".gitignore").write_text("*\n", encoding="ascii")
        for name in changes:
            (directory / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AnsibleError("%s: %s" % (error.filename, error.strerror)) from error
    for name, data in changes.items():
        public = 0o644 if name.endswith(".pem") else 0o600
        put(directory / name, data, _PUBLIC.get(name, public))
