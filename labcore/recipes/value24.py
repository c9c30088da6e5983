"""value24: the table that values states of the Game of 24, made in half a minute.

python -m labcore.recipes.value24
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from labcore import shipped
from labcore.reasoning.game24 import State, all_games, moves, solvable
from labcore.reasoning.value24 import (
    ASSET,
    HELD_OUT_EVERY,
    NOTHING,
    held_out_games,
    pair_rows,
    worth,
)

EPOCHS, BATCH, RATE = 20, 128, 0.03
UNKNOWN = -6.0  # where every pair begins, as a logit


def states_below(games: list[State]) -> tuple[list[State], list[State]]:
    """Every state of three and of two numbers that these games lead to, in a fixed order."""
    threes = sorted({move.after for game in games for move in moves(game)})
    return threes, sorted({move.after for state in threes for move in moves(state)})


def training_states() -> list[State]:
    """All states of three numbers but those that a held-out game leads to."""
    games, exam = all_games(), set(states_below(held_out_games())[0])
    learned_from = [game for place, game in enumerate(games) if place % HELD_OUT_EVERY]
    return [state for state in states_below(learned_from)[0] if state not in exam]


def labels(states: list[State]) -> Tensor:
    return torch.tensor([float(solvable(state)) for state in states])


def make(states: list[State], seed: int = 0) -> Tensor:
    """A table learned from states of three numbers and whether they can be solved."""
    generator = torch.Generator().manual_seed(seed)
    rows, told = pair_rows(states), labels(states)
    table = torch.full((NOTHING + 1,), UNKNOWN, requires_grad=True)
    optimiser = torch.optim.Adam([table], lr=RATE)
    for _ in range(EPOCHS):
        for some in torch.randperm(len(states), generator=generator).split(BATCH):
            loss = F.binary_cross_entropy_with_logits(worth(table, rows[some]), told[some])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return table.detach()


def told_apart(table: Tensor, states: list[State]) -> float:
    """How often a state that can be solved is valued above one that cannot (area under the ROC)."""
    scores, told = worth(table, pair_rows(states)), labels(states).bool()
    above = (scores[told][:, None] > scores[~told][None]).float()
    equal = (scores[told][:, None] == scores[~told][None]).float()
    return float((above + equal / 2).mean())


def main() -> None:
    torch.set_num_threads(1)
    states = training_states()
    table = make(states)
    ASSET.parent.mkdir(parents=True, exist_ok=True)
    shipped.save({"table": table.half()}, ASSET)
    print(f"{len(states)} states learned from")
    for left, exam in zip((3, 2), states_below(held_out_games()), strict=True):
        share = labels(exam).mean()
        print(f"{left} left: {told_apart(table, exam):.3f} told apart, {share:.3f} solvable")


if __name__ == "__main__":
    main()
