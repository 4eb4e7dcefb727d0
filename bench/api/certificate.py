"""A certificate for loopback, for a day; nobody verifies it here."""

from __future__ import annotations

from pathlib import Path

from testbed.command import run


def made(directory: Path) -> tuple[Path, Path]:
    """Certificate and key: ECDSA, P-256. Raises Failed."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-subj", "/CN=bench", "-days", "2"]
    run([*words, "-keyout", key, "-out", certificate])
    return certificate, key
