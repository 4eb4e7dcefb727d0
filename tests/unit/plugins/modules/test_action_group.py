# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`module_defaults` for `group/nrs.network_routing.api` reach every module with a connection."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.nrs.network_routing.plugins import modules

COLLECTION = Path(modules.__path__[0]).parents[1]
FRAGMENT = "nrs.network_routing.api"


def _documented(path: Path) -> dict[str, object]:
    text = path.read_text(encoding="utf-8").split('DOCUMENTATION = r"""')[1].split('"""')[0]
    found: dict[str, object] = yaml.safe_load(text)
    return found


def test_the_group_has_the_modules_that_use_the_fragment() -> None:
    runtime = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    files = sorted((COLLECTION / "plugins" / "modules").glob("*.py"))
    using = [
        "nrs.network_routing.%s" % path.stem
        for path in files
        if FRAGMENT in str(_documented(path).get("extends_documentation_fragment", ""))
    ]
    assert using
    assert runtime["action_groups"]["api"] == using
