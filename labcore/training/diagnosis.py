"""Is this run healthy? Every rule is asked, the strongest answer comes first, and what could not be
judged for want of a signal is said.

Causes come before their consequences: a rate that is far too high also makes a plateau, text that comes
again also makes the loss repeat itself. A finding that another one explains steps back.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from labcore.training import diagnosis_course as course
from labcore.training import diagnosis_rules as rules
from labcore.training.findings import Finding, Rule, seen
from labcore.training.signals import RunLog

__all__ = ["CALLED", "Finding", "diagnose", "unjudged"]

CALLED = 0.5  # the strength from which a finding is a diagnosis
STEPS_BACK = 0.4  # factor on a finding that is explained by another
NOTHING = Finding("", "", 0.0, {})


@dataclass(frozen=True, slots=True)
class Asked:
    rule: Rule
    explains: tuple[str, ...] = ()  # faults that are its consequences
    needs: tuple[str, ...] = ()  # signals without which it cannot judge
    about: str = ""  # the fault that then stays open


RULES: tuple[Asked, ...] = (
    Asked(rules.not_a_number, ("exploding", "rate_too_high", "poisoned_batch", "spikes", "plateau")),
    Asked(rules.leak, ("plateau",), ("floor_nats",), "leak"),
    Asked(
        rules.by_heart, ("sawtooth", "plateau", "poisoned_batch", "spikes", "leak"),
        ("validation_nats",), "overfitting",
    ),
    Asked(rules.bad_init, ("plateau", "no_warmup"), ("uniform_nats",), "bad_init"),
    Asked(
        rules.exploding, ("bad_init", "rate_too_high", "spikes", "poisoned_batch", "plateau"),
        ("activation_rms",), "exploding",
    ),
    Asked(
        rules.rate_too_high, ("no_warmup", "plateau", "spikes", "poisoned_batch"),
        ("update_ratio",), "rate_too_high",
    ),
    Asked(rules.no_warmup, ("plateau",), ("learning_rate",), "no_warmup"),
    Asked(rules.frozen_layer, ("plateau",), ("layer_update_ratio",), "frozen_layer"),
    Asked(course.stuck, ("rate_too_low", "plateau"), ("loss_nats",), "stuck"),
    Asked(rules.rate_too_low, ("plateau", "stuck"), ("update_ratio",), "rate_too_low"),
    Asked(course.sawtooth, ("spikes", "poisoned_batch", "plateau", "resumed", "rate_too_high")),
    Asked(course.resumed, ("spikes", "poisoned_batch", "rate_too_high")),
    Asked(course.spikes),
    Asked(course.plateau),
)  # fmt: skip


def diagnose(log: RunLog) -> tuple[Finding, ...]:
    """All that was found, strongest first; "healthy" is first where nothing else reaches `CALLED`."""
    if not len(log.step):
        return ()
    run = seen(log)
    found = {}
    for asked in RULES:
        finding = asked.rule(run)
        if finding is not None and finding.strength > 0:
            found[asked.rule] = finding
    explained = {
        fault
        for asked in RULES
        if asked.rule in found and found[asked.rule].strength >= CALLED
        for fault in asked.explains
        if fault != found[asked.rule].fault
    }
    by_fault: dict[str, Finding] = {}
    for one in found.values():
        if one.fault in explained:
            one = replace(one, strength=STEPS_BACK * one.strength)
        if one.strength > by_fault.get(one.fault, NOTHING).strength:
            by_fault[one.fault] = one
    findings = [*by_fault.values(), healthy(log, by_fault.values())]
    return tuple(sorted(findings, key=lambda one: -one.strength))


def healthy(log: RunLog, findings: Iterable[Finding]) -> Finding:
    """What is left when nothing speaks against it."""
    worst = max((one.strength for one in findings), default=0.0)
    loss = seen(log).loss
    facts = {"start": loss.start, "end": loss.end} if len(loss) else {}
    return Finding("healthy", "nothing_found", 1 - worst, facts)


def unjudged(log: RunLog) -> tuple[tuple[str, str], ...]:
    """(fault, missing signal) for each fault that this log does not let anybody judge, or only roughly."""
    missing = []
    for asked in RULES:
        for name in asked.needs:
            values = getattr(log, name)
            if values is None or not np.isfinite(np.asarray(values)).any():
                missing.append((asked.about, name))
    return tuple(missing)
