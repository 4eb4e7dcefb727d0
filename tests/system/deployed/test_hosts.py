"""What the deployment left on the hosts."""

from __future__ import annotations

from typing import Any

CONFIGURATION = "/etc/network-routing-system"
NOBODYS = {"psk", "previous_psk", "previous_router_key", "device_key", "api_token"}
KEYS = {"routing_server": ("router_key",), "network_access_endpoint": ("device_keys",)}


def test_secrets_are_for_the_agents_alone(lab: Any) -> None:
    for host, unit in lab.UNITS:
        for secret in (f"api_tokens_{unit}", *KEYS.get(unit, ())):
            path = f"{CONFIGURATION}/{secret}"
            assert lab.exec(host, "stat", "-c", "%a %U", path) == "600 nrs\n", (host, secret)
        # The PSK stays on the control node, and who ranks routers needs no key of theirs.
        for secret in NOBODYS | {"router_key", "device_keys"} - {*KEYS.get(unit, ())}:
            path = f"{CONFIGURATION}/{secret}"
            found = lab.run("exec", host, "test", "-e", path, check=False)
            assert found.returncode == 1, (host, secret)


def test_tunnels_have_device_keys_and_nothing_else_is_accepted(lab: Any) -> None:
    for host, unit in lab.UNITS:
        if unit == "network_access_endpoint":
            found = [(t["key_mode"], t["key_epoch"]) for t in lab.status(host)["tunnels"]]
            assert found == [("device", 0)] * 2, host
        elif unit == "routing_server":
            path = f"{CONFIGURATION}/routing_server.yaml"
            assert lab.exec(host, "grep", "key_modes", path).strip() == 'key_modes: ["device"]'


def test_no_secret_is_in_a_log_or_a_process_list(lab: Any) -> None:
    script = (
        f"cd {CONFIGURATION}; for secret in router_key device_keys api_tokens_*; do"
        "  value=$(grep -v '^#' $secret 2>/dev/null | awk 'NR == 1 {print $NF}');"
        '  [ -n "$value" ] || continue;'
        '  has() { grep -qF -- "$value"; };'
        "  ! journalctl -q --no-pager -o cat | has || echo $secret in journal;"
        "  ! cat /var/log/network-routing-system/*.log | has || echo $secret in log;"
        "  ! ps -eo args | grep -vF grep | has || echo $secret in processes;"
        "done"
    )
    for host, _unit in lab.UNITS:
        assert lab.exec(host, "bash", "-c", script) == "", host


def test_agents_run_unprivileged(lab: Any) -> None:
    for host, unit in lab.UNITS:
        show = lab.exec(host, "systemctl", "show", "-p", "MainPID", "--value", unit).strip()
        assert lab.exec(host, "ps", "-o", "user=", "-p", show).strip() == "nrs", host


def test_every_host_tells_its_status(lab: Any) -> None:
    for host, unit in lab.UNITS:
        status = lab.status(host)
        assert {"role", "id", "codec", "offloads", "tunnels"} <= status.keys(), host
        assert status["role"] == unit, host


def test_a_reload_keeps_the_tunnels(lab: Any) -> None:
    before = lab.tunnels("endpoint_1")
    router = lab.active_router("endpoint_1")
    for host, unit in (("endpoint_1", "network_access_endpoint"), (router, "routing_server")):
        lab.exec(host, "systemctl", "reload", unit)
    after = lab.tunnels("endpoint_1")
    assert {name: tunnel["since"] for name, tunnel in after.items()} == {
        name: tunnel["since"] for name, tunnel in before.items()
    }


def test_a_broken_configuration_stops_the_agent_for_good(lab: Any) -> None:
    path = f"{CONFIGURATION}/load_balancer.yaml"
    lab.exec("lb", "sh", "-c", f"cp -p {path} /root/kept && echo 'surprise: true' >>{path}")
    try:
        restart = lab.run("exec", "lb", "systemctl", "restart", "load_balancer", check=False)
        assert restart.returncode != 0
        properties = "ExecMainStatus,NRestarts"
        show = lab.exec("lb", "systemctl", "show", "-p", properties, "load_balancer")
        assert "ExecMainStatus=2" in show
        assert "NRestarts=0" in show
        assert lab.exec("lb", "systemctl", "is-failed", "load_balancer").strip() == "failed"
        journal = lab.exec("lb", "journalctl", "-q", "-o", "cat", "-n", "20", "-u", "load_balancer")
        assert "surprise" in journal
        assert "Traceback" not in journal
    finally:
        lab.exec("lb", "sh", "-c", f"cp -p /root/kept {path} && rm /root/kept")
        lab.run("exec", "lb", "systemctl", "reset-failed", "load_balancer", check=False)
        lab.exec("lb", "systemctl", "restart", "load_balancer")
