"""A token bucket: how often somebody may ask.

The bucket holds at most `burst` tokens and gains `per_second` of them each second. A message takes one; who
finds less than one in it is turned away. Quick bursts pass, a steady stream above the rate does not.

The clock is an argument: nothing here reads the time, so a test and a page can live through an hour at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits


@lab_config
class BucketConfig:
    per_second: float = 0.5
    burst: int = 3

    def __post_init__(self):
        check_limits(self, {"per_second": (0.0, 1000.0), "burst": (1, 1000)})


@dataclass(frozen=True, slots=True)
class Bucket:
    """The state between two messages."""

    tokens: float
    seconds: float  # when it was last looked at


def full(config: BucketConfig, seconds: float = 0.0) -> Bucket:
    return Bucket(float(config.burst), seconds)


def ask(bucket: Bucket, seconds: float, config: BucketConfig) -> tuple[Bucket, bool]:
    """A message at `seconds`: the bucket afterwards, and whether the message passes.

    Worked by hand: burst 1, half a token a second, messages at 0, 1 and 2 s: yes, no (half a token), yes.

    subtle: a clock that runs backwards fills nothing and takes nothing away.
    """
    if not math.isfinite(seconds):
        raise LabInputError("seconds", seconds, "finite_number")
    gained = max(0.0, seconds - bucket.seconds) * config.per_second
    tokens = min(float(config.burst), bucket.tokens + gained)
    passes = tokens >= 1 - 1e-9  # ten tenths of a token make one
    return Bucket(max(0.0, tokens - 1) if passes else tokens, max(seconds, bucket.seconds)), passes


def passed(times: Sequence[float], config: BucketConfig) -> list[bool]:
    """Which messages of somebody who writes at these times pass, the bucket being full at first."""
    bucket, said = full(config, times[0] if times else 0.0), []
    for seconds in times:
        bucket, passes = ask(bucket, seconds, config)
        said.append(passes)
    return said
