"""How often the agents succeed, as steps are allowed, tools fail, and a document is planted.

Axes: S = 3 seeds (each its own worlds and questions), L step limits, F failure rates, Q questions each.
"""

from dataclasses import dataclass, replace

import numpy as np

from labcore.retrieval.agent import ENDS, POISONS, AgentConfig, run
from labcore.retrieval.agent_text import AGENTS
from labcore.retrieval.agent_world import KINDS

QUESTIONS = 16
SEEDS = (0, 1, 2)
STEPS = (1, 2, 3, 4, 5, 6, 8, 12)
FAILURES = (0.0, 0.1, 0.2, 0.3, 0.5)
MOST_STEPS = 12


@dataclass(frozen=True, slots=True, eq=False)
class AgentStudy:
    steps: np.ndarray  # (L,)
    by_steps: dict[str, np.ndarray]  # by kind of question: (S, L) success without failures, careful
    failures: np.ndarray  # (F,)
    by_failure: dict[
        str, np.ndarray
    ]  # by agent: (S, F) success with 12 steps, two look-ups and a sum
    repeats: dict[str, np.ndarray]  # by agent: (S, F) repeated calls per question
    ends: dict[
        str, np.ndarray
    ]  # by poison, and "-trusted" if only the register is searched: (S, 4) of ENDS
    questions: int  # per seed and point


def seeds_of(seed: int) -> range:
    """The scenes of one seed, which no other seed shares."""
    return range(1000 * (seed + 1), 1000 * (seed + 1) + QUESTIONS)


def succeeded(config: AgentConfig, limits: tuple[int, ...]) -> np.ndarray:
    """Whether one question is answered rightly within each limit.  -> (L,)

    One run with the largest limit tells all of them: the loop does not know its limit.
    """
    trace = run(replace(config, max_steps=max(limits)))
    return np.array([trace.end == "right" and len(trace.steps) <= limit for limit in limits])


def study() -> AgentStudy:
    base = AgentConfig(max_steps=MOST_STEPS, failing=0.0)
    by_steps = {
        kind: np.stack(
            [
                np.mean(
                    [
                        succeeded(replace(base, kind=kind, seed=one), STEPS)
                        for one in seeds_of(seed)
                    ],
                    axis=0,
                )
                for seed in SEEDS
            ]
        )
        for kind in KINDS
    }
    by_failure, repeats = {}, {}
    for agent in AGENTS:
        traces = [
            [
                [run(replace(base, agent=agent, failing=share, seed=one)) for one in seeds_of(seed)]
                for share in FAILURES
            ]
            for seed in SEEDS
        ]
        right = [[[one.end == "right" for one in point] for point in row] for row in traces]
        again = [[[one.repeated for one in point] for point in row] for row in traces]
        by_failure[agent], repeats[agent] = np.mean(right, axis=2), np.mean(again, axis=2)
    ends = {}
    for poison in POISONS:
        for trusted in (False, True):
            if poison in ("none", "harmless") and trusted:
                continue
            config = replace(base, poison=poison, trusted_only=trusted)
            name = f"{poison}-trusted" if trusted else poison
            ends[name] = np.stack([_ends(config, seed) for seed in SEEDS])
    return AgentStudy(
        np.array(STEPS), by_steps, np.array(FAILURES), by_failure, repeats, ends, QUESTIONS
    )


def _ends(config: AgentConfig, seed: int) -> np.ndarray:
    found = [run(replace(config, seed=one)).end for one in seeds_of(seed)]
    return np.array([found.count(end) / len(found) for end in ENDS])
