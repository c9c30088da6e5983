"""What a noisy curve shows: its level, its noise, where it jumps, whether it repeats.

Everything is a median of something, so that one odd batch moves nothing. N points.
"""

from dataclasses import dataclass

import numpy as np

SIGMA_OF_MEDIAN = 1.4826  # a normal deviation over the median of its absolute values
LEAST_FOR_LEVEL = 5
HEIGHTS = 3.0  # median deviations from the level, beyond which a value counts no more
NEARLY = 0.9
ROUNDED = 1e-4  # of a level: what rounding in a log may hide


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The points at which a signal was measured and came out finite."""

    step: np.ndarray  # (N,)
    value: np.ndarray  # (N,)

    def __len__(self) -> int:
        return len(self.value)

    @property
    def start(self) -> float:
        return float(self.value[0])

    @property
    def end(self) -> float:
        """Over the last tenth: the last point alone is a matter of luck."""
        return float(np.median(self.value[-max(1, len(self) // 10) :]))

    @property
    def lowest(self) -> float:
        return float(self.level().min())

    def level(self, share: float = 1 / 12) -> np.ndarray:
        """The running median over a `share` of the curve: what is left when the noise is gone.  (N,)"""
        return running_median(self.value, max(LEAST_FOR_LEVEL, round(share * len(self))))

    @property
    def noise(self) -> float:
        """How much two neighbours differ, over and above any slope: one standard deviation."""
        return noise_of(self.value)


def measured(step: np.ndarray, values: np.ndarray) -> Curve:
    """The curve of a signal of a log."""
    there = np.isfinite(values)
    return Curve(step[there], values[there])


def running_median(values: np.ndarray, width: int) -> np.ndarray:
    """The median of the `width` values around each; the ends lean on their last value.  (N,) -> (N,)

    >>> running_median(np.array([1.0, 1.0, 9.0, 1.0, 1.0]), 3).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    half = min(width, len(values)) // 2
    padded = np.pad(values, half, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)


def noise_of(values: np.ndarray) -> float:
    """From the differences of neighbours, which a slope hardly touches and two outliers do not."""
    if len(values) < 3:
        return 0.0
    steps = np.diff(values)
    return float(SIGMA_OF_MEDIAN * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2))


def jumps(curve: Curve, sigmas: float = 8.0, share: float = 0.1) -> list[int]:
    """Points that stand out above their surroundings: by so many deviations, and by a share of the level.

    The first tenth is left out; there a loss falls too steeply to have surroundings.
    """
    level = curve.level()
    width = max(LEAST_FOR_LEVEL, len(curve) // 6)
    steps = np.abs(np.diff(curve.value, prepend=curve.value[0]))
    local = SIGMA_OF_MEDIAN / np.sqrt(2) * running_median(steps, width)
    over = curve.value - level
    high = (over > sigmas * np.maximum(local, 1e-12)) & (over > share * np.abs(level))
    high[: len(curve) // 10] = False
    onsets = high & ~np.roll(high, 1)
    return np.flatnonzero(onsets).tolist()


def rise(curve: Curve) -> tuple[float, int]:
    """How far the level climbs above the lowest it had been at, and the point where that low was."""
    level = curve.level()
    above = level - np.minimum.accumulate(level)
    top = int(above.argmax())
    return float(above[top]), int(level[: top + 1].argmin())


def trend(curve: Curve) -> float:
    """The fall from the first third to the last, in standard errors: below 3 there may be none.

    A log that was rounded may show no noise; below a ten-thousandth of the level nothing is a slope.
    """
    third = max(1, len(curve) // 3)
    fall = curve.value[:third].mean() - curve.value[-third:].mean()
    noise = max(curve.noise, ROUNDED * abs(float(np.median(curve.value))), 1e-12)
    return float(fall / (noise * np.sqrt(2 / third)))


def period(curve: Curve) -> tuple[int, float]:
    """After how many points the curve repeats itself, and how well: 1 perfectly, 0 not at all.

    The autocorrelation, slope taken away, at its first high point beyond its first zero; at least three
    periods. Heights are cut off, or two spikes would be taken for a rhythm.
    """
    rest = curve.value - curve.level(1 / 3)
    rest = rest[len(rest) // 10 :]
    usual = HEIGHTS * np.median(np.abs(rest)) if len(rest) else 0.0
    rest = np.clip(rest, -usual, usual)
    rest = rest - rest.mean()
    count = len(rest)
    if count < 12 or not rest.any():
        return 0, 0.0
    spectrum = np.fft.rfft(rest, 2 * count)
    products = np.fft.irfft(spectrum * spectrum.conj())[: count // 3 + 1]
    alike = products / (products[0] * (count - np.arange(len(products))) / count)
    below = np.flatnonzero(alike < 0)
    if not len(below):
        return 0, 0.0
    high = alike[below[0] :]
    first = int((high >= NEARLY * high.max()).argmax())  # a multiple of a period is one, too
    while first + 1 < len(high) and high[first + 1] > high[first]:
        first += 1
    return int(below[0]) + first, float(np.clip(high[first], 0.0, 1.0))
