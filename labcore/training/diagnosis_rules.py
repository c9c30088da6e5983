"""Rules that read what a run is made of: its numbers, its floor, its first steps, the size of its steps.

A rule is a function: a log in, a finding out, or None. It reads signals alone. It does not know how the
run was made, and says which number made it speak. Its strength is 0 where the number is usual, 1 where it is
beyond doubt, and 0.5 where one would say so.

Where the grades come from: runs of this lab with seeds from 100 on; the confusion table shows other seeds.
"""

import math

import numpy as np

from labcore.training.curves import rise, trend
from labcore.training.findings import FAINT, Finding, Seen, grade, grade_log, strongest

LEAST_LOSS = 0.1  # below that it is no cross-entropy: the loss of GRPO, say, begins at 0 and climbs


# Numbers that are none.


def not_a_number(run: Seen) -> Finding | None:
    """Loss or gradient stops being a number. Was there a run-up, or did it come out of nothing?"""
    log = run.log
    broken = np.isinf(log.loss_nats) | np.isinf(log.grad_norm)
    # A log without gaps has a loss at every step: a gap at its very end is a NaN that was logged.
    broken[-1:] |= np.isnan(log.loss_nats[-1:]) & (np.isnan(log.loss_nats[:-1]).sum() == 0)
    if not broken.any():
        return None
    at = int(broken.argmax())
    before = slice(max(0, at - 5), at)
    growth = 1.0
    for signal in (log.loss_nats, log.grad_norm):
        usual, last = signal[: max(1, at - 5)], signal[before]
        usual, last = usual[np.isfinite(usual)], last[np.isfinite(last)]
        if len(usual) and len(last):
            growth = max(growth, float(last.max() / max(np.median(usual), 1e-12)))
    facts = {"step": float(log.step[at]), "growth": growth}
    if growth > 5:
        return Finding("exploding", "run_up", 1.0, facts)
    return Finding("nan", "out_of_nothing", 1.0, facts)


def exploding(run: Seen) -> Finding | None:
    """The stream multiplies from block to block, the gradient is huge, or the loss ends above its start."""
    found = []
    rms, loss, norm = run.log.activation_rms, run.loss, run.grad_norm
    rms = rms[(np.isfinite(rms) & (rms > 0)).all(axis=1)]
    if rms.shape[1] >= 3 and len(rms):
        factors = (rms[:, -1] / rms[:, 0]) ** (1 / (rms.shape[1] - 1))
        at = int(np.argsort(factors)[-max(1, len(rms) // 20)])  # not the largest, which may be luck
        facts = {
            "factor": float(factors[at]), "first": float(rms[at, 0]), "last": float(rms[at, -1]),
        }  # fmt: skip
        found.append(Finding("exploding", "by_block", grade_log(factors[at], 1.7, 3), facts))
    if len(norm) >= 8:
        usual = float(np.median(norm.value[:5]))
        found.append(
            Finding("exploding", "huge_gradient", grade_log(usual, 100, 1000), {"norm": usual})
        )
    if len(loss) >= 8 and loss.start > LEAST_LOSS:
        facts = {"start": loss.start, "end": loss.end}
        strength = grade(loss.end / loss.start, 1.0, 1.6)
        found.append(Finding("exploding", "above_start", strength, facts))
    return strongest(found)


# Below what is possible; better on what was seen than on what was not.


def leak(run: Seen) -> Finding | None:
    """Text it was not trained on costs less than it can: the model sees what it should predict."""
    floor, held_out = run.log.floor_nats, run.held_out
    if floor is not None and len(held_out) >= 2:
        end = float(held_out.value[-3:].mean())
        facts = {"end": end, "floor": floor}
        return Finding("leak", "below_floor", grade(1 - end / floor, 0.0, 0.08), facts)
    if floor is not None and len(run.loss) >= 8:
        # Without held-out text a loss below the floor may be learnt by heart as well.
        facts = {"end": run.loss.end, "floor": floor}
        strength = 0.6 * grade(1 - run.loss.end / floor, 0.0, 0.08)
        return Finding("leak", "train_below_floor", strength, facts)
    end = float(held_out.value[-3:].mean()) if len(held_out) >= 2 else math.inf
    if (
        end < 0.3 and run.loss.end < 0.3
    ):  # no natural text is as predictable; a task's answers may be
        return Finding("leak", "too_good", FAINT * grade(end, 0.3, 0.1), {"end": end})
    return None


def by_heart(run: Seen) -> Finding | None:
    """The training loss falls on while text that was not trained on becomes dearer.

    A training loss below the floor proves that the text came again; without a floor it may be too
    little text, read too often: overfitting.
    """
    held_out, loss, floor = run.held_out, run.loss, run.log.floor_nats
    if len(held_out) < 4 or len(loss) < 8:
        return None
    low = int(held_out.value.argmin())
    end = float(np.median(held_out.value[-2:]))
    climbed = end / max(held_out.value[low], 1e-12) - 1
    at_low = loss.value[np.searchsorted(loss.step, held_out.step[low]) - 1]
    facts = {
        "low": float(held_out.value[low]), "step": float(held_out.step[low]), "end": end,
        "train": loss.end, "floor": floor or math.nan,
    }  # fmt: skip
    if floor is not None and loss.end < floor < end:
        return Finding("duplicates", "train_below_floor", grade(loss.end / floor, 1.0, 0.8), facts)
    if loss.end >= at_low:  # both rise: not learnt by heart
        return None
    strength = min(grade(climbed, 0.0, 0.05), grade(end / max(loss.end, 1e-12), 1.0, 1.2))
    return Finding("overfitting" if floor is None else "duplicates", "scissors", strength, facts)


# The beginning.


LARGEST_VOCABULARY = 300_000  # of any published model, about


def bad_init(run: Seen) -> Finding | None:
    """The first loss is dearer than a guess that knows nothing."""
    loss, uniform = run.loss, run.log.uniform_nats
    if not len(loss) or loss.step[0] > 2:
        return None
    facts = {"start": loss.start, "uniform": uniform or math.log(LARGEST_VOCABULARY)}
    if uniform is None:
        strength = grade(loss.start / math.log(LARGEST_VOCABULARY), 1.0, 1.2)
        return Finding("bad_init", "above_any_guess", strength, facts)
    return Finding("bad_init", "above_guess", grade(loss.start / uniform, 1.05, 1.35), facts)


def no_warmup(run: Seen) -> Finding | None:
    """The rate begins at its peak, and the first steps do harm."""
    rate, loss, update = run.rate, run.loss, run.update
    if len(rate) < 8 or rate.step[0] > 2 or rate.start < 0.9 * rate.value.max():
        return None
    facts = {"rate": rate.start}
    first = loss.value[1 : max(4, len(loss) // 10)]
    found = [Finding("no_warmup", "rate_at_peak", 0.2, facts)]
    if len(update) >= 8:
        moved = float(update.value[:3].max())
        facts = facts | {"percent": 100 * moved}
        found.append(Finding("no_warmup", "first_update", grade_log(moved, 0.03, 0.1), facts))
    if len(loss) >= 20:
        climb = float(first.max() - loss.start)
        facts = facts | {"start": loss.start, "climb": climb}
        strength = min(grade(climb / loss.start, 0.03, 0.2), grade(climb, 0, 6 * loss.noise))
        found.append(Finding("no_warmup", "first_climb", strength, facts))
    return strongest(found)


# The size of the steps.


def rate_too_high(run: Seen) -> Finding | None:
    """Updates that move the weights by a large share of themselves, or a loss that climbs and stays."""
    found = []
    if len(run.update) >= 8:
        largest = np.sort(run.update.value[1:])[-max(3, len(run.update) // 10) :]
        share = float(np.median(largest))
        facts = {"percent": 100 * share}
        found.append(Finding("rate_too_high", "large_updates", grade_log(share, 0.07, 0.18), facts))
    if len(run.loss) >= 20 and run.loss.start > LEAST_LOSS:
        _, low = rise(run.loss)
        level, fall = run.loss.level(), run.loss.start - run.loss.lowest
        stays = run.loss.end - level[low]
        facts = {"low": float(level[low]), "step": float(run.loss.step[low]), "end": run.loss.end}
        strength = min(
            grade(stays / max(fall, 1e-12), 0.05, 0.3), grade(stays, 0, 4 * run.loss.noise)
        )
        found.append(Finding("rate_too_high", "climbed_and_stayed", strength, facts))
    return strongest(found)


def rate_too_low(run: Seen) -> Finding | None:
    """The loss falls, in a line and hardly; the weights move by nearly nothing."""
    loss, update = run.loss, run.update
    if len(loss) < 20 or trend(loss) < 3:
        return None
    ceiling = run.log.uniform_nats or loss.start
    fallen = 1 - loss.end / max(loss.start, 1e-12)
    straight = min(grade(fallen, 0.15, 0.05), grade(loss.end / ceiling, 0.8, 0.95))
    facts = {"start": loss.start, "end": loss.end, "percent": 100 * fallen}
    if len(update) >= 8:
        share = float(update.value.max())
        strength = min(straight, grade_log(share, 2e-3, 2e-4))
        return Finding("rate_too_low", "tiny_updates", strength, facts | {"share": share})
    # From a guess that knows nothing that is little. A fine-tuning may have little to learn.
    most = 0.6 if run.log.uniform_nats else FAINT
    return Finding("rate_too_low", "hardly_falls", most * straight, facts)


def frozen_layer(run: Seen) -> Finding | None:
    """One block's weights stay where they are while the others move."""
    ratios = run.log.layer_update_ratio
    ratios = ratios[np.isfinite(ratios).all(axis=1)]
    if ratios.shape[1] < 2 or len(ratios) < 3:
        return None
    usual = np.median(ratios, axis=0)  # (L,)
    block, others = int(usual.argmin()), float(np.median(np.delete(usual, usual.argmin())))
    if not others > 0:
        return None
    facts = {"block": float(block + 1), "ratio": float(usual[block]), "others": others}
    return Finding(
        "frozen_layer", "still_block", grade_log(usual[block] / others, 0.1, 0.003), facts
    )
