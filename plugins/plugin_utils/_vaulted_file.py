# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that is encrypted with the vault password of the run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, is_encrypted, match_encrypt_secret

_NOTHING_TO_ENCRYPT_WITH = (
    "a backup is encrypted with the run's vault password, and there is none: give"
    " --vault-password-file, --vault-id or --ask-vault-pass"
)


class VaultedFile:
    """The file of that path. `loader` is a plugin's, which knows the passwords.

    Raises AnsibleError, which names the file.
    """

    def __init__(self, path: Path, loader: Any) -> None:
        self._path = path
        self._secrets = loader._vault.secrets  # nothing public has them
        if not self._secrets:
            raise AnsibleError(_NOTHING_TO_ENCRYPT_WITH)

    def read(self) -> bytes:
        """What it holds."""
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise AnsibleError("%s: %s" % (self._path, error.strerror)) from error
        if not is_encrypted(content):
            raise AnsibleError("%s: not encrypted with ansible-vault" % self._path)
        try:
            return bytes(VaultLib(self._secrets).decrypt(content))
        except AnsibleError as error:
            raise AnsibleError("%s: %s" % (self._path, error)) from None

    def write(self, content: bytes) -> None:
        """Put it into the place of what there was; nobody else may read it."""
        wanted = constants.DEFAULT_VAULT_ENCRYPT_IDENTITY
        name, secret = match_encrypt_secret(self._secrets, encrypt_vault_id=wanted)
        text = VaultLib(self._secrets).encrypt(content, secret=secret, vault_id=name)
        put(self._path, text)


def put(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put `content` into the place of a file whole, if there is one. Raises AnsibleError."""
    temporary = path.with_name(".%s.new" % path.name)
    try:
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise AnsibleError("%s: %s" % (path, error.strerror)) from error
