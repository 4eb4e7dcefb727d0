from __future__ import annotations

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from nrs.controller.views import ONLINE_S
from tests.controller.conftest import Clock, endpoint, router, status


def test_devices_are_summed_up_by_type(client: FlaskClient, clock: Clock) -> None:
    client.post("/register", json=router())
    clock.now += ONLINE_S + 1
    for number, kept in ((1, 0), (2, 2)):
        client.post("/register", json=endpoint(f"endpoint_{number}"))
        body = status(f"endpoint_{number}", put_back=5, not_kept=kept)
        if number == 2:
            body |= {"revocations": 4, "revocations_age_s": 7.5}
        assert client.post("/status", json=body).status_code == 200
    answer = client.get("/metrics")
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found == {
        ("nrs_devices", "online", "routing_server"): 0,
        ("nrs_devices", "offline", "routing_server"): 1,
        ("nrs_devices", "network_access_endpoint", "online"): 2,
        ("nrs_devices", "network_access_endpoint", "offline"): 0,
        ("nrs_devices_put_back", "routing_server"): 0,
        ("nrs_devices_put_back", "network_access_endpoint"): 10,
        ("nrs_devices_not_kept", "routing_server"): 0,
        ("nrs_devices_not_kept", "network_access_endpoint"): 2,
        ("nrs_devices_revocations", "network_access_endpoint"): 4,
        ("nrs_devices_revocations_age_seconds", "network_access_endpoint"): 7.5,
    }
