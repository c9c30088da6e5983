"""Rules that read the course of a loss alone: does it move, does it stop, jump, repeat itself?

They need one column, so they can judge nearly every log there is. For what a rule is see `diagnosis_rules`.
"""

import math

import numpy as np

from labcore.training.curves import Curve, jumps, period, trend
from labcore.training.findings import FAINT, Finding, Seen, grade, strongest


def stuck(run: Seen) -> Finding | None:
    """From the first step to the last the loss has no slope at all."""
    loss, uniform = run.loss, run.log.uniform_nats
    if len(loss) < 20:
        return None
    level, third = float(np.median(loss.value)), len(loss) // 3
    ends = np.median(loss.value[:third]), np.median(loss.value[-third:])
    still = min(
        grade(abs(ends[0] - ends[1]) / max(level, 1e-12), 0.01, 0.002),
        grade(abs(trend(loss)), 4, 2),
    )
    facts = {"level": level, "uniform": uniform or math.nan}
    if len(run.update) and not run.update.value.any():
        return Finding("stuck", "no_update", 1.0, facts)
    if uniform is not None and abs(level / uniform - 1) < 0.05:
        return Finding("stuck", "at_uniform", still, facts)
    if abs(level - math.log(2)) < 0.01:
        return Finding("stuck", "at_ln_2", still, facts)
    return Finding("stuck", "no_slope", 0.7 * still, facts)


def plateau(run: Seen) -> Finding | None:
    """It fell, then stopped. At the floor that is success; without a floor nobody can tell."""
    loss, floor = run.loss, run.log.floor_nats
    if len(loss) < 30:
        return None
    level, half = loss.level(), len(loss) // 2
    fall, late = level[0] - level[-1], level[half] - level[-1]
    if not fall > 4 * loss.noise:
        return None
    flat = min(
        grade(late / fall, 0.03, 0.0),
        grade(trend(Curve(loss.step[half:], loss.value[half:])), 5, 2),
    )
    facts = {"level": loss.end, "step": float(loss.step[half]), "floor": floor or math.nan}
    if floor is None:
        return Finding("plateau", "flat", FAINT * flat, facts)
    return Finding("plateau", "flat_above_floor", flat * grade(loss.end / floor, 1.1, 1.6), facts)


def spikes(run: Seen) -> Finding | None:
    """The loss jumps within one step and comes back: a batch of something else, or steps too large."""
    loss = run.loss
    if len(loss) < 20:
        return None
    found = jumps(loss)
    if not found:
        return None
    worst = max(found, key=lambda at: loss.value[at])
    level = loss.level()
    after = level[min(len(level) - 1, worst + max(3, len(level) // 10))]
    back = grade(after / max(level[worst - 1], 1e-12), 1.3, 1.05)
    facts = {
        "step": float(loss.step[worst]), "before": float(loss.value[worst - 1]),
        "peak": float(loss.value[worst]), "after": float(after), "count": float(len(found)),
    }  # fmt: skip
    height = grade((loss.value[worst] - level[worst]) / max(loss.noise, 1e-12), 6, 12)
    if len(found) <= 2:
        return Finding("poisoned_batch", "one_spike", min(height, back), facts)
    return Finding("spikes", "many_spikes", min(height, back), facts)


def sawtooth(run: Seen) -> Finding | None:
    """The loss repeats itself: the order of the data shows through."""
    if len(run.loss) < 30:
        return None
    every, alike = period(run.loss)
    if every < 4:
        return None
    points = run.loss.step
    facts = {"period": float(np.median(points[every:] - points[:-every])), "alike": alike}
    return Finding("sawtooth", "repeats", grade(alike, 0.3, 0.7), facts)


def resumed(run: Seen) -> Finding | None:
    """Where the step counter goes back or the rate jumps up, loss or updates jump up too.

    Adam without its averages makes its first steps at full length: the updates tell more than the loss.
    """
    log, loss = run.log, run.loss
    if len(loss) < 24:
        return None
    there = np.isfinite(log.loss_nats)
    rate, update = log.learning_rate[there], log.update_ratio[there]
    places, evidence = np.flatnonzero(np.diff(loss.step) < 0) + 1, "step_back"
    if not len(places):
        late = np.arange(1, len(loss)) > len(loss) // 6
        places, evidence = np.flatnonzero((rate[1:] > 2 * rate[:-1]) & late) + 1, "rate_back"
    found = [_loss_at(loss, at, evidence) for at in places[:20]]
    found += [_updates_at(update, at, one) for at, one in zip(places, found, strict=False)]
    return strongest(found)


def _window(at: int, count: int) -> tuple[slice, slice]:
    """As many points before a point as after it."""
    width = max(4, count // 20)
    return slice(max(0, at - width), at), slice(at, at + width)


def _loss_at(loss: Curve, at: int, evidence: str) -> Finding:
    earlier, later = _window(at, len(loss))
    before = float(np.median(loss.value[earlier]))
    jump = float(np.median(loss.value[later])) - before
    error = 1.25 * loss.noise * math.sqrt(2 / max(4, len(loss) // 20))  # of a difference of medians
    facts = {"step": float(loss.step[at]), "before": before, "jump": jump}
    return Finding("resumed", evidence, grade(jump / max(error, 1e-12), 1.5, 4), facts)


def _updates_at(update: np.ndarray, at: int, beside: Finding) -> Finding:
    earlier, _ = _window(at, len(update))
    times = float(np.max(update[at : at + 3]) / max(np.median(update[earlier]), 1e-12))
    strength = grade(times, 1.3, 2.5) if beside.facts["jump"] > 0 and times == times else 0.0
    return Finding("resumed", "updates_back", strength, beside.facts | {"times": times})
