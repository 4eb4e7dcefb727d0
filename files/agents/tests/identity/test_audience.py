from __future__ import annotations

import pytest

from nrs.identity.audience import audience_of


@pytest.mark.parametrize(
    ("url", "audience"),
    [
        ("https://192.0.2.10:8080", "https://192.0.2.10:8080"),
        ("https://192.0.2.10:8080/", "https://192.0.2.10:8080"),
        ("https://192.0.2.10:8080/base/decision", "https://192.0.2.10:8080"),
        ("HTTPS://Balancer.Example.NET", "https://balancer.example.net:443"),
        ("http://localhost", "http://localhost:80"),
        ("https://[2001:DB8:0:0::10]:8090", "https://[2001:db8::10]:8090"),
    ],
)
def test_one_spelling_of_each_instance(url: str, audience: str) -> None:
    assert audience_of(url) == audience
    assert audience_of(audience) == audience


@pytest.mark.parametrize(
    "url",
    [
        "",
        "192.0.2.10:8080",
        "ftp://192.0.2.10",
        "https://",
        "https://192.0.2.256",
        "https://192.0.2.10:0",
        "https://192.0.2.10:65536",
        "https://192.0.2.10:http",
        "https://user@192.0.2.10",
        "https://192.0.2.10/?all",
        "https://192.0.2.10/#top",
        "https://[2001:db8::10",
        "https://[fe80::1%25eth0]:8080",
        "https://bad_-.example.net:80",
        "https://two words",
        "https://192.0.2.10:8080\n",
    ],
)
def test_what_names_no_instance_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no URL such as"):
        audience_of(url)
