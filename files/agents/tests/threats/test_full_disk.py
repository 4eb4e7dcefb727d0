"""A list of revocations that a service cannot store is in force, told of, and stored later."""

from __future__ import annotations

import requests

from tests.serving import TIMEOUT_S
from tests.threats.deployment import Deployment


def test_a_list_that_cannot_be_stored_is_stored_later(deployment: Deployment) -> None:
    service = deployment.sibling

    def health() -> requests.Response:
        url, verify = f"{service.url}/health", str(deployment.ca_file)
        return requests.get(url, verify=verify, timeout=TIMEOUT_S)

    in_the_way = service.state / "revocations"
    in_the_way.mkdir()
    deployment.revoke("--id", "endpoint_2", "--issued-before", "now", told=[])
    text = (deployment.secrets / "revocations").read_text(encoding="ascii").strip()
    assert deployment.put(service, "/revocations", {"revocations": text}).status_code == 503
    assert deployment.number(service) == 1
    told = health()
    assert told.status_code == 503
    assert told.json()["status"] == "degraded"
    assert told.json()["reason"].startswith("the list of revocations is not stored: ")
    in_the_way.rmdir()
    deployment.wait(lambda: health().status_code == 200, "it is stored")
    assert in_the_way.read_text(encoding="ascii").strip() == text
