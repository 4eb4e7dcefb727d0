"""The hosts' image: a Debian system, cached by a hash of everything that makes it up."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path

from lab.podman import Podman
from lab.topology import MANAGEMENT, Topology
from testbed.command import last_lines
from testbed.failed import Failed

FILES = Path(__file__).resolve().parent / "rootfs"
REPOSITORY = "localhost/nrs-lab"
SUITE = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# No pip and no venv: a deployment must not need them.
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "iproute2",
    "nftables",
    "python3",
    "python3-apt",
    "iputils-ping",
    "procps",
    "openssh-server",
    "sudo",
    "ca-certificates",
    "curl",
    "iperf3",
    "tcpdump",
    "ethtool",
    "kmod",
    "nginx-light",
    "openssl",
    "conntrack",
    "ufw",
)
# Files keep the mode that they have in the checkout; units are listed here to be enabled.
ENABLED = ("lab-boot", "lab-hostkey", "lab-files", "lab-web", "lab-iperf3")
DISABLED = ("nginx",)
MASKED = (
    "getty.target",
    "console-getty.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "dpkg-db-backup.timer",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "iperf3.service",
)
HOOKS = (
    'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf',
    ': >"$1"/etc/machine-id',
    f'chroot "$1" systemctl -q enable {" ".join(ENABLED)}',
    f'chroot "$1" systemctl -q disable {" ".join(DISABLED)}',
    f'chroot "$1" systemctl -q mask {" ".join(MASKED)}',
)


@dataclass(frozen=True)
class Image:
    """What the image is made from; two definitions that differ have different tags."""

    hosts_file: str
    files: tuple[tuple[str, bytes], ...]

    @property
    def tag(self) -> str:
        digest = hashlib.sha256()
        for part in (SUITE, *PACKAGES, *HOOKS, self.hosts_file):
            digest.update(part.encode() + b"\0")
        for name, content in self.files:
            digest.update(name.encode() + b"\0" + content + b"\0")
        return f"{REPOSITORY}:{digest.hexdigest()[:12]}"


def define(topology: Topology) -> Image:
    files = sorted(path for path in FILES.rglob("*") if path.is_file())
    return Image(
        hosts_file=_hosts_file(topology),
        files=tuple((str(path.relative_to(FILES)), path.read_bytes()) for path in files),
    )


def build(image: Image, podman: Podman, log: Path) -> None:
    """Build the image and remove older ones; raises Failed with the end of the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nrs-lab-") as directory:
        rootfs = Path(directory) / "rootfs"
        shutil.copytree(FILES, rootfs)
        (rootfs / "etc" / "hosts").write_text(image.hosts_file, encoding="ascii")
        with log.open("w", encoding="utf-8") as output:
            bootstrap = subprocess.Popen(
                _bootstrap_command(rootfs),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
            )
            imported = subprocess.run(
                podman.command(
                    "import",
                    "--change=CMD /sbin/init",
                    "--change=STOPSIGNAL SIGRTMIN+3",
                    "-",
                    # Named for what it is made from only once it is known to be whole.
                    f"{REPOSITORY}:unfinished",
                ),
                stdin=bootstrap.stdout,
                stdout=subprocess.DEVNULL,
                stderr=output,
                check=False,
            )
            assert bootstrap.stdout is not None
            bootstrap.stdout.close()
            failed = bootstrap.wait() or imported.returncode
    if failed:
        last = last_lines(log.read_text(encoding="utf-8", errors="replace"))
        raise Failed(f"building the image failed, the whole log is {log}:\n{last}")
    podman.tag_image(f"{REPOSITORY}:unfinished", image.tag)


def _bootstrap_command(rootfs: Path) -> list[str]:
    return [
        "mmdebstrap",
        "--variant=apt",
        f"--include={','.join(PACKAGES)}",
        f"--customize-hook=copy-in {' '.join(str(p) for p in sorted(rootfs.iterdir()))} /",
        *(f"--customize-hook={hook}" for hook in HOOKS),
        SUITE,
        "-",
        *_sources(os.environ.get("NRS_LAB_MIRROR")),
    ]


def _sources(mirror: str | None) -> list[str]:
    """Lines of sources.list for a mirror of one's own; else mmdebstrap knows Debian's.

    The key is named because Ubuntu's apt does not trust it by itself; mmdebstrap
    does that for its own choice.
    """
    if not mirror:
        return []
    return [
        f"deb [signed-by={KEYRING}] {mirror}/{archive} {suite} main"
        for archive, suite in (
            ("debian", SUITE),
            ("debian", f"{SUITE}-updates"),
            ("debian-security", f"{SUITE}-security"),
        )
    ]


def _hosts_file(topology: Topology) -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    for host in topology.hosts:
        for address in host.on(MANAGEMENT)[0].plain_addresses[::-1]:
            aliases = dict.fromkeys((host.hostname, host.name))
            lines.append(f"{address} {' '.join(aliases)}")
    for address in topology.segment(MANAGEMENT).addresses:
        lines.append(f"{ip_interface(address).ip} control")
    return "\n".join(lines) + "\n"
