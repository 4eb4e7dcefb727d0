"""A copy of the checkout at the place that Ansible's tools insist on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from harness.report import Unusable
from harness.settings import CHECKOUT, COLLECTION, Cache


def files(checkout: Path = CHECKOUT) -> list[Path]:
    """Every file that git tracks or would track, relative to the checkout; raises Unusable."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if listed.returncode:
        raise Unusable(f"git cannot list the files of the checkout: {listed.stderr.strip()}")
    names = [Path(name) for name in listed.stdout.split("\0") if name]
    return [name for name in dict.fromkeys(names) if (checkout / name).is_file()]


def refresh(cache: Cache, beside: str = "") -> Path:
    """Make the copy equal to the checkout and return where it is.

    One for a tool that runs beside another has a name.
    """
    copy = cache.root / f"collections-{beside}" / COLLECTION if beside else cache.collection
    # What the tools wrote there last time must not be tested this time.
    shutil.rmtree(copy, ignore_errors=True)
    for name in files():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, target, follow_symlinks=False)
    # ansible-test asks git which files there are.
    subprocess.run(["git", "init", "--quiet", str(copy)], check=True)
    return copy


def link(cache: Cache) -> Path:
    """A collections directory in which the collection is the checkout itself."""
    place = cache.root / "linked" / "ansible_collections" / "nrs" / "network_routing"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(CHECKOUT)
    return cache.root / "linked"
