# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: arguments by which ssh notices that a host has died.

TCP alone waits for minutes, and ControlPersist hands a dead connection on to the next run.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible import constants
from ansible.errors import AnsibleFilterError
from ansible.plugins.loader import connection_loader

_PROGRAMS = ("ssh", "sftp", "scp")
_NOTICED = "-o ServerAliveInterval=5 -o ServerAliveCountMax=4"
"""After 25 s without a sign of life. Of an option that is given twice, ssh takes the first."""


def ssh_arguments(given: str | None, program: str) -> str:
    """`given`, or else what command line, environment or ansible.cfg say, and after it ours.

    `program` is ssh, sftp or scp. Raises AnsibleFilterError for another.
    """
    if program not in _PROGRAMS:
        raise AnsibleFilterError("ssh_arguments: program must be ssh, sftp or scp: %r" % (program,))
    own = _configured("%s_extra_args" % program) if given is None else given
    return ("%s %s" % (own, _NOTICED)).strip()


def _configured(option: str) -> str:
    """What the connection plugin would go by where no host has a variable of its own."""
    connection_loader.get("ssh", class_only=True)  # which makes its options known
    value = constants.config.get_config_value(option, plugin_type="connection", plugin_name="ssh")
    return str(value)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Name to function."""
        return {"ssh_arguments": ssh_arguments}
