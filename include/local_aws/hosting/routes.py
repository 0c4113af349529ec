"""Which process answers an invocation: by the variants' weights, and by the parts of the traffic that fleets take."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from include.local_aws.hosting.fleet import Fleet
from include.local_aws.hosting.server import Server


@dataclass(frozen=True, eq=False)
class Lane:
    """One variant in one fleet. `weight` is its part of all requests, `share` of those that name it as their target."""

    variant: str
    config: str
    server: Server
    instances: int
    weight: float
    share: float
    capture: Mapping[str, Any] | None = None
    """The DataCaptureConfig under which it serves."""


@dataclass(frozen=True, eq=False)
class Routes:
    """Where an endpoint's requests go."""

    lanes: tuple[Lane, ...]
    _sums: list[float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sums", list(accumulate(lane.weight for lane in self.lanes)))

    def choose(self, target: str | None, chance: float) -> Lane | None:
        """The lane of a request, by a `chance` in [0, 1); None where there is no variant of the target's name."""
        if target is None:
            lanes, sums = self.lanes, self._sums
        else:
            lanes = tuple(lane for lane in self.lanes if lane.variant == target and lane.share > 0)
            sums = list(accumulate(lane.share for lane in lanes))
        if not lanes or sums[-1] <= 0:
            return None
        return lanes[bisect_right(sums, chance * sums[-1], hi=len(lanes) - 1)]

    @property
    def variants(self) -> list[str]:
        """The names that may be a target, each once."""
        return list(dict.fromkeys(lane.variant for lane in self.lanes if lane.share > 0))


def routes(old: Fleet | None, new: Fleet | None = None, active: Mapping[str, int] | None = None) -> Routes:
    """The routes while `active` instances of the new fleet's variants take traffic, and the old fleet the rest.

    A variant of the new fleet takes the part of its weight that its active instances are of all its instances. What
    is left over, the old fleet's variants take by their weights.
    """
    lanes: list[Lane] = []
    taken = 0.0
    shares: dict[str, float] = {}
    if new is not None:
        weights = _parts(new.variants)
        for variant in new.variants:
            name, count = variant["VariantName"], variant["count"]
            instances = count if active is None else min(active.get(name, 0), count)
            share = shares[name] = instances / count
            taken += weights[name] * share
            if instances:
                server, capture = new.servers[name], variant.get("capture")
                lanes.append(Lane(name, new.config, server, instances, weights[name] * share, share, capture))
    rest = 1.0 - taken
    if old is not None and rest > 1e-9:
        weights = _parts(old.variants)
        for variant in old.variants:
            name, count = variant["VariantName"], variant["count"]
            share = 1.0 - shares.get(name, taken)
            capture = variant.get("capture")
            lanes.append(Lane(name, old.config, old.servers[name], count, weights[name] * rest, share, capture))
    return Routes(tuple(lanes))


def _parts(variants: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each variant's part of its fleet's weights; they are above 0 together."""
    total = sum(variant["weight"] for variant in variants)
    return {str(variant["VariantName"]): variant["weight"] / total for variant in variants}
