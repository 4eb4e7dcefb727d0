# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say where an API is and how to talk to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.nrs.network_routing.plugins.module_utils._client import Connection


class Unusable(ValueError):
    """An option that cannot work; the text names it and what was found, but no token."""


def connection(given: Mapping[str, Any]) -> Connection:
    """What the options say together. Raises Unusable."""
    urls = [url.strip() for url in given["url"]]
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise Unusable("url must start with http:// or https://, found %r" % url)
    if not urls:
        raise Unusable("url must name at least one server")
    if given["timeout"] <= 0:
        raise Unusable("timeout must be more than 0 seconds, found %s" % given["timeout"])
    if given["ca_path"] is not None and not Path(given["ca_path"]).is_file():
        raise Unusable("ca_path must be a file, found %s" % given["ca_path"])
    return Connection(
        urls=urls,
        token=_token(given["token"], given["token_file"]),
        timeout=given["timeout"],
        validate_certs=given["validate_certs"],
        ca_path=given["ca_path"],
    )


def _token(stated: str | None, file: str | None) -> str | None:
    token = stated
    if file is not None:
        try:
            token = Path(file).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise Unusable("cannot read token_file: %s" % error) from None
    return token if token is None else token.strip()
