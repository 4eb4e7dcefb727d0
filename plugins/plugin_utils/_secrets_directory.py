# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the deployment's secrets are on the control node, where no variable says it.

One directory whatever the number of inventories, and the same for every host and `--limit`:

    -i site/                    site/.secrets
    -i site/hosts.yml           site/.secrets
    -i site/ -i more/           site/.secrets: beside the first
    -i 192.0.2.1,               .secrets in the working directory, as no inventory is a file

Where secrets lie beside another one of these inventories, or inside of one, they are taken from
there. NRS_SECRETS_DIRECTORY comes before all of this, as it does for `nrs token` and `nrs ca`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

_NAME = ".secrets"
_SECRETS = ("psk", "previous_psk", "signing_key", "public_keys", "ca_key", "ca.pem")
_NO_INVENTORIES = ("group_vars", "host_vars", "vars_plugins")
_OF_NO_INVENTORY = "None"
"""What a path began with that was made of a host's `inventory_dir` where it has none."""


def secrets_directory(variables: Mapping[str, Any]) -> str:
    """The directory for a run with these variables. Raises AnsibleError, which names paths."""
    if stated := os.environ.get("NRS_SECRETS_DIRECTORY"):
        return str(Path(stated).expanduser().absolute())
    given = variables.get("ansible_inventory_sources") or ()
    sources = [given] if isinstance(given, str) else [str(source) for source in given]
    working = Path.cwd()
    playbooks = variables.get("playbook_dir")
    return str(chosen(sources, working, Path(str(playbooks)) if playbooks else working))


def chosen(sources: Sequence[str], working: Path, playbooks: Path) -> Path:
    """The one place with secrets or, where none has any, the first. Raises AnsibleError."""
    places = list(dict.fromkeys(_places(sources, working, playbooks)))
    held = {place.resolve(): place for place in reversed(places) if _holds_secrets(place)}
    if len(held) > 1:
        raise AnsibleError(
            "secrets lie in %s, and a run goes by one directory: say by which with"
            " nrs_secrets_directory, or move the other away"
            % " and in ".join(sorted(str(place) for place in held.values()))
        )
    return next(iter(held.values()), places[0])


def _places(sources: Sequence[str], working: Path, playbooks: Path) -> Iterator[Path]:
    files = [working / source for source in sources if "," not in source]
    yield from ((path if path.is_dir() else path.parent) / _NAME for path in files)
    for top in (path for path in files if path.is_dir()):
        # Each host once went by the directory of the file that names it.
        seen = set()
        for directory, below, _files in os.walk(top, followlinks=True):
            real = os.path.realpath(directory)  # a link may lead up again
            usual = sorted(n for n in below if n[0] != "." and n not in _NO_INVENTORIES)
            below[:] = [] if real in seen else usual
            seen.add(real)
            yield Path(directory, _NAME)
    if len(files) < len(sources) or not files:
        yield working / _NAME
        yield working / _OF_NO_INVENTORY / _NAME
    yield playbooks / _NAME


def _holds_secrets(place: Path) -> bool:
    try:
        return any(path.name in _SECRETS for path in place.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise AnsibleError("%s: %s" % (place, error.strerror)) from error
