"""What the controller tells Prometheus: sums by type of device, never a device's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import get_args

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nrs.api.messages import DeviceType
from nrs.controller.registry import Registry


class DeviceFigures(Collector):
    """Of every registered device, read anew at each scrape."""

    def __init__(self, registry: Registry, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Raises SQLAlchemyError."""
        now = self._clock()
        count = GaugeMetricFamily("nrs_devices", "Registered", labels=("type", "status"))
        back = GaugeMetricFamily(
            "nrs_devices_put_back",
            "Settings of their hosts that somebody else changed, as reported",
            labels=("type",),
        )
        kept = GaugeMetricFamily(
            "nrs_devices_not_kept", "Of these, what they cannot keep now", labels=("type",)
        )
        number = GaugeMetricFamily(
            "nrs_devices_revocations",
            "Least number of a list of revocations that one of them goes by",
            labels=("type",),
        )
        age = GaugeMetricFamily(
            "nrs_devices_revocations_age_seconds",
            "For how long nobody has told one of them that its list is the latest, at most",
            labels=("type",),
        )
        devices = self._registry.devices()
        for kind in get_args(DeviceType):
            those = [device for device in devices if device.device_type == kind]
            online = sum(device.online(now) for device in those)
            count.add_metric([kind, "online"], online)
            count.add_metric([kind, "offline"], len(those) - online)
            said = [device.reported for device in those if device.reported is not None]
            back.add_metric([kind], sum(one.put_back for one in said))
            kept.add_metric([kind], sum(one.not_kept for one in said))
            lists = [
                (one.revocations, one.revocations_age_s)
                for one in said
                if one.revocations_age_s is not None
            ]
            if lists:
                number.add_metric([kind], min(held for held, _ in lists))
                age.add_metric([kind], max(since for _, since in lists))
        return count, back, kept, number, age
