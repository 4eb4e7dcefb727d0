# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write 32 random bytes, in base64, to a new file that only its owner can read.

Usage: generate_secret.py FILE. Never replaces a file and never prints the secret. The
directory, if it is new, is kept out of git.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path


def main() -> int:
    """Write the file named on the command line."""
    path = Path(sys.argv[1])
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, parents=True)
        (path.parent / ".gitignore").write_text("*\n", encoding="ascii")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(base64.b64encode(secrets.token_bytes(32)) + b"\n")
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
