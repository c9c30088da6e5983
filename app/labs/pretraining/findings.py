"""What the rules found in a log, in words: for the clinic, and for whoever else watches a run."""

from collections.abc import Sequence

import streamlit as st

from app.i18n import Words
from labcore.training.diagnosis import CALLED, Finding, unjudged
from labcore.training.signals import RunLog

ROUND = 1e9  # whole numbers up to here are written out


def diagnosis_words(text: Words) -> Words:
    """Looks up `assets/strings/<lang>/diagnosis.toml`, in the language of the lab's own words."""
    return Words(text.language, "diagnosis")


def draw_findings(text: Words, findings: Sequence[Finding]) -> None:
    """The diagnosis with its evidence and what to do; below it what else was seen."""
    words = diagnosis_words(text)
    first, rest = findings[0], [one for one in findings[1:] if one.fault != "healthy"]
    well = first.fault == "healthy"
    show, icon = (st.success, "check_circle") if well else (st.warning, "stethoscope")
    strength = words("strength", strength=f"{first.strength:.2f}")
    show(
        f"**{words('called')}: {words(f'fault.{first.fault}')}** ({strength})\n\n"
        f"{evidence(words, first)}\n\n**{words('what_to_do')}** {words(f'advice.{first.fault}')}",
        icon=f":material/{icon}:",
    )
    for title, group in (
        ("also_called", [one for one in rest if one.strength >= CALLED]),
        ("not_called", [one for one in rest if 0.05 <= one.strength < CALLED]),
    ):
        if group:
            lines = (f"- {in_words(words, one)}" for one in group)
            st.markdown("\n".join([words(title), "", *lines]))


def in_words(words: Words, finding: Finding) -> str:
    name, strength = words(f"fault.{finding.fault}"), f"{finding.strength:.2f}"
    return f"**{name}** ({words('strength', strength=strength)}): {evidence(words, finding)}"


def evidence(words: Words, finding: Finding) -> str:
    """The sentence that made the rule speak, with its numbers."""
    facts = {name: number(value) for name, value in finding.facts.items()}
    return words(f"evidence.{finding.fault}.{finding.evidence}", **facts)


def number(value: float) -> str:
    """Steps and counts as they are, everything else with three digits.

    >>> number(12345.0), number(0.012345), number(float("nan"))
    ('12,345', '0.0123', '?')
    """
    if value != value:
        return "?"
    return f"{value:,.0f}" if value == round(value) and abs(value) < ROUND else f"{value:.3g}"


def draw_unjudged(text: Words, log: RunLog) -> None:
    """Which faults this log does not let anybody judge, and what would have to be logged."""
    words = diagnosis_words(text)
    lines = [
        words("unjudged.line", fault=words(f"fault.{fault}"), signal=words(f"signal.{signal}"))
        for fault, signal in unjudged(log)
    ]
    if lines:
        st.markdown("\n".join([words("unjudged"), "", *(f"- {line}" for line in lines)]))
