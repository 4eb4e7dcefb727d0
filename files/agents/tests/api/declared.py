"""Holds every answer of an app against what its route declares."""

from __future__ import annotations

from flask import Flask, Response, request

from nrs.api import operation
from nrs.api.answers import Refusal

_ANY_ROUTE_MAY = {400, 401, 405, 413}


def held_to_its_word(app: Flask) -> Flask:
    """`app`, in which an answer that is not as declared fails the test that asked for it."""

    def check(response: Response) -> Response:
        status = response.status_code
        assert response.headers["Cache-Control"] == "no-store"
        view = app.view_functions.get(request.endpoint or "")
        declared = None if view is None else operation.of(view)
        if declared is not None and declared.degraded and declared.answer and status == 503:
            declared.answer.model_validate(response.json)
            return response
        if status >= 400:
            Refusal.model_validate(response.json)
        if declared is None:
            return response
        if status >= 400:
            assert status in _ANY_ROUTE_MAY | declared.refused.keys()
        else:
            assert status in ({200, 201} if declared.created else {200})
            if declared.answer is not None:
                declared.answer.model_validate(response.json)
        return response

    # What `check` raises would be answered with 500 else.
    app.testing = True
    app.after_request(check)
    return app
