"""What the small agent is taught: whole conversations with tools, some of which fail.

Only what an agent writes is asked for; results are given. A careful agent has seen calls that failed and
were made again; a naive one has not.
Axes: B conversations, T tokens.
"""

from collections.abc import Iterator

import torch

from labcore.retrieval.agent_world import (
    END,
    ERROR,
    PAD,
    Facts,
    Task,
    draw_facts,
    draw_task,
    expression_of,
    ids_of,
    truth_of,
    words_in,
)
from labcore.text.masking import IGNORE
from labcore.training.objectives import Batch

FAILING = {"careful": 0.25, "naive": 0.0}  # share of calls that fail in what each agent is taught
AGENTS = tuple(FAILING)


def conversation(
    task: Task, facts: Facts, failing: float, generator: torch.Generator
) -> tuple[list[int], list[bool]]:
    """One conversation, and which of its words the agent writes."""
    ids, own = ids_of(words_in(task.text)), []
    own = [False] * len(ids)

    def say(text: str, by_agent: bool) -> None:
        words = [*words_in(text), END]
        ids.extend(ids_of(words))
        own.extend([by_agent] * len(words))

    for call, result in calls_of(task, facts):
        while float(torch.rand((), generator=generator)) < failing:
            say(call, True)
            say(f"result {ERROR}", False)
        say(call, True)
        say(f"result {result}", False)
    say(f"answer {truth_of(task, facts)}", True)
    return ids, own


def calls_of(task: Task, facts: Facts) -> list[tuple[str, str]]:
    """The calls that answer a question, and what they give."""
    calls = [
        (f"search {name} {task.thing}", f"{name} has {facts[name, task.thing]} {task.thing}")
        for name in task.names
    ]
    if task.kind != "one":
        calls.append((f"calculate {expression_of(task, facts)}", str(truth_of(task, facts))))
    return calls


def batches(agent: str, size: int, generator: torch.Generator) -> Iterator[Batch]:
    """Fresh worlds and questions without end."""
    while True:
        said = []
        for _ in range(size):
            facts = draw_facts(generator)
            said.append(conversation(draw_task(facts, generator), facts, FAILING[agent], generator))
        longest = max(len(ids) for ids, _ in said)
        tokens = torch.full((size, longest), PAD)
        targets = torch.full((size, longest), IGNORE)
        for row, (ids, own) in enumerate(said):
            tokens[row, : len(ids)] = torch.tensor(ids)
            targets[row, : len(ids)] = torch.tensor(
                [token if mine else IGNORE for token, mine in zip(ids, own, strict=True)]
            )
        yield Batch(tokens[:, :-1], targets[:, 1:], tokens[:, :-1] != PAD)
