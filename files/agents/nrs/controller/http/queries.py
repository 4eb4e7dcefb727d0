"""The query parameters of the controller's API."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nrs.api.queries import Query, whole
from nrs.config.types import Name
from nrs.controller.events import MOST_KEPT


class EventsQuery(Query):
    """`GET /events`: of which device, else of all, and how many."""

    device_id: Name | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_KEPT), whole(1, MOST_KEPT)] = 100
