# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Event source: moves of traffic, and devices that fall silent, as the controller has them."""

from __future__ import annotations

DOCUMENTATION = r"""
short_description: What happens in the network, from its controller
description:
  - Asks the network controller every few seconds. What is there at the start is no event.
  - C(move) is a move of an endpoint's traffic, as M(nrs.network_routing.failover_event_info) has
    it.
  - C(silent) is a device that has not been heard of for O(silent_after), once until it is heard of
    again, which is C(heard). Both have C(device_id), C(device_type), C(silent_s) and C(share), how
    many of the devices of its type are silent, from 0 to 1.
  - C(missed) says that there were more moves than the controller tells of at once.
  - Ends where the controller refuses the request. While it does not answer, this is logged once.
options:
  url:
    description: Where the API is; with several, the next one is asked when one does not answer.
    type: list
    elements: str
    required: true
  token:
    description: A bearer token of an operator or a monitor.
    type: str
  token_file:
    description: A file whose content is the token, read each time.
    type: path
  ca_path:
    description: A file of CA certificates for V(https://).
    type: path
  validate_certs:
    description: Whether the certificate of the API is checked.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for an answer.
    type: float
    default: 10
  interval:
    description: Seconds between requests.
    type: float
    default: 5
  silent_after:
    description: Seconds after which a device counts as silent.
    type: float
    default: 60
"""

EXAMPLES = r"""
- nrs.network_routing.controller_events:
    url: https://192.0.2.11:8090
    ca_path: /etc/network-routing-system/ca.pem
    token_file: /etc/eda/nrs_token
    silent_after: 60
"""

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# The rule engine does not make collections importable.
sys.path.append(str(Path(__file__).absolute().parents[7]))

from ansible_collections.nrs.network_routing.plugins.module_utils._client import ApiError, Client
from ansible_collections.nrs.network_routing.plugins.module_utils._connection import connection

log = logging.getLogger(__name__)
Event = dict[str, Any]
_MOST = 1000
"""Moves that the controller answers at once."""
_DEFAULTS = {
    **dict.fromkeys(("token", "token_file", "ca_path")),
    "validate_certs": True,
    "timeout": 10.0,
    "interval": 5.0,
    "silent_after": 60.0,
}


class Moves:
    """Which of the moves that the controller knows are new."""

    def __init__(self) -> None:
        self._known: set[tuple[Any, ...]] | None = None

    def events(self, told: list[dict[str, Any]]) -> Iterator[Event]:
        """Those of `GET /events` that it did not have the last time."""
        keys = [(move["device_id"], move["number"], move["when"]) for move in told]
        known, self._known = self._known, set(keys)
        if known is None:
            return
        if len(keys) == _MOST and known and not known.intersection(keys):
            yield {"missed": True}
        yield from (
            {"move": move} for key, move in zip(keys, told, strict=True) if key not in known
        )


class Silence:
    """Which devices have fallen silent, and are heard of again."""

    def __init__(self, after: float) -> None:
        self._after = after
        self._silent: set[str] | None = None

    def events(self, devices: list[dict[str, Any]], now: float) -> Iterator[Event]:
        """What is another than the last time; `now` as `last_seen`, in seconds since the epoch."""
        ages = {device["device_id"]: now - device["last_seen"] for device in devices}
        silent = {name for name, age in ages.items() if age > self._after}
        before, self._silent = self._silent, silent
        if before is None:
            return
        kinds = {device["device_id"]: device["device_type"] for device in devices}
        there, gone = Counter(kinds.values()), Counter(kinds[name] for name in silent)
        for name, kind in kinds.items():
            if (name in silent) == (name in before):
                continue
            told = {"device_id": name, "device_type": kind, "silent_s": ages[name]}
            told["share"] = gone[kind] / there[kind]
            yield {"silent" if name in silent else "heard": told}


async def main(queue: asyncio.Queue[Event], args: Mapping[str, Any]) -> None:
    """Put events into the queue for ever. Raises ApiError where the controller refuses."""
    given = {**_DEFAULTS, **args}
    given["url"] = [given["url"]] if isinstance(given["url"], str) else given["url"]
    moves, silence = Moves(), Silence(float(given["silent_after"]))
    answers = True
    while True:
        try:
            for event in await asyncio.to_thread(_asked, given, moves, silence):
                await queue.put(event)
            answers = True
        except ApiError as error:
            if error.status is not None and error.status < 500:
                raise
            if answers:
                log.warning("the network controller does not answer: %s", error)
            answers = False
        await asyncio.sleep(float(given["interval"]))


def _asked(given: Mapping[str, Any], moves: Moves, silence: Silence) -> list[Event]:
    client = Client(connection(given))
    told, known = client.get("/events", {"limit": str(_MOST)}), client.get("/devices")
    try:
        fallen = list(silence.events(known["devices"], known["timestamp"]))
        return [*moves.events(told["events"]), *fallen]
    except (KeyError, TypeError) as error:
        raise ApiError("the answer is of another shape: %r" % error) from None
