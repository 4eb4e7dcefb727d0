"""The tokens that a device holds: a file with one a line, `#` begins a comment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nrs.identity.audience import audience_of
from nrs.identity.claims import NotSigned, unverified
from nrs.identity.credential import REPLACEMENT, Credential, CredentialRefused, stated


class TokensRefused(ValueError):
    """A file of tokens cannot be used; the text names file and line, never a token."""


@dataclass(frozen=True)
class Tokens:
    """What a file holds: each token with what it says, which nobody has verified here."""

    held: tuple[tuple[Credential, str], ...] = ()

    def tokens_for(self, url: str) -> tuple[str, ...]:
        """The tokens for the service at `url`, the one issued last first. Raises ValueError."""
        audience = audience_of(url)
        fitting = [pair for pair in self.held if pair[0].audience == audience]
        return tuple(t for _, t in sorted(fitting, key=lambda pair: -pair[0].issued))


def holds_tokens(text: str) -> bool:
    """Whether the text is meant to be tokens, and not one secret for all."""
    lines = text.splitlines()
    # A secret has no space, so this comment is none: a file of tokens that has none to hold.
    return text.startswith("# ") or any(
        line.count(".") == 2 for line in lines if not line.startswith("#")
    )


def read(path: Path) -> Tokens:
    """The tokens in a file. Raises TokensRefused."""
    try:
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise TokensRefused(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TokensRefused(f"{path}: not ASCII text") from None
    try:
        return parse(text, str(path))
    except TokensRefused as error:
        raise TokensRefused(f"{path}, {error}") from None


def parse(text: str, file: str = "FILE") -> Tokens:
    """The tokens in the text of `file`. Raises TokensRefused, which names the line."""
    held = []
    for number, line in enumerate(text.splitlines(), start=1):
        token = line.partition("#")[0].strip()
        if not token:
            continue
        try:
            held.append((stated(unverified(token)), token))
        except CredentialRefused as error:
            raise TokensRefused(f"line {number}: {error}") from None
        except NotSigned:
            raise TokensRefused(
                f"line {number}: not a token; a shared secret is not accepted, what takes its"
                f" place is made by: {REPLACEMENT} --file {file}"
            ) from None
    return Tokens(tuple(held))
