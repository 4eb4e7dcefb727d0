from __future__ import annotations

from dataclasses import replace

from lab import image
from lab.topology import lab


def test_the_same_definition_has_the_same_tag():
    assert image.define(lab()).tag == image.define(lab()).tag


def test_any_change_of_the_definition_changes_the_tag(monkeypatch):
    definition = image.define(lab())
    name, content = definition.files[0]
    tags = {
        definition.tag,
        replace(definition, hosts_file="").tag,
        replace(definition, files=definition.files[1:]).tag,
        replace(definition, files=((name, content + b"\n"), *definition.files[1:])).tag,
    }
    monkeypatch.setattr(image, "PACKAGES", (*image.PACKAGES, "hello"))
    tags.add(definition.tag)
    assert len(tags) == 5


def test_enabled_units_are_in_the_image():
    files = {name for name, _ in image.define(lab()).files}
    for unit in image.ENABLED:
        assert f"etc/systemd/system/{unit}.service" in files


def test_hosts_can_not_install_python_packages():
    assert not {"python3-venv", "python3-pip"} & set(image.PACKAGES)


def test_hosts_file_names_every_host():
    lines = image.define(lab()).hosts_file.splitlines()
    assert "fd88::21 router-1 router_1" in lines
    assert "fd88::1 control" in lines
