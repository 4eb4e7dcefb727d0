# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print what the tokens in a file say, as JSON and never the tokens; null where there is no file.

Usage: held_tokens.py FILE PUBLIC_KEYS, on the agents' own Python. Only tokens under the first of
the keys count.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nrs.identity import keys, token_file
from nrs.identity.credential import CredentialRefused
from nrs.identity.verifier import verified


def claims(path: Path, pem: str) -> list[dict[str, object]] | None:
    """The claims of each token in `path`; none of a damaged file, None without a file."""
    if not path.exists():
        return None
    signer, found = keys.public_keys(pem)[:1], []
    try:
        held = token_file.read(path).held
    except token_file.TokensRefused:
        return []
    for _stated, token in held:
        try:
            found.append(verified(token, signer).claims())
        except CredentialRefused:
            continue
    return found


def main() -> int:
    """Print those of the file that the command line names."""
    print(json.dumps(claims(Path(sys.argv[1]), sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
