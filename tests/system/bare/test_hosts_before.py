"""Takes down what the hosts are like before anything is deployed on them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from host_state import dumps


def test_hosts_have_nothing_of_ours(lab: Any) -> None:
    found = dumps(lab)
    for host, lines in found.items():
        assert not [line for line in lines if "tun0" in line or "nrs" in line], host
    Path(os.environ["NRS_HOSTS_BEFORE"]).write_text(json.dumps(found), encoding="utf-8")
