"""What the answers of every service have in common.

Views build plain dicts, which costs a request less; the tests hold each answer against the
model that its route declares.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Every field is there, and no other."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class Health(Answer):
    """`GET /health`; a service adds what it is asked for. `reason` says what is degraded."""

    status: Literal["ok", "degraded"]
    reason: str | None
    certificate_warning: str | None


class Refusal(Answer):
    """Any answer other than success; `field` is the path of the one at fault."""

    error: str
    field: str | None
