"""The stored form of a pushed configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def canonical(config: Mapping[str, Any]) -> str:
    """The JSON text that is equal for equal configurations, and only for them."""
    return json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)
