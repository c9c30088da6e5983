"""Answers that no rater ever saw, and a score that is read at the wrong place.

Raters saw what the half-trained policy says: two or three digits, up to two marks, an end. A reward model
has an opinion on everything else as well, and nobody has taught it one.

Axes: B answers, S sums, P prompt tokens, R response tokens.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.tuning import sums
from labcore.tuning.base_policy import load_policy
from labcore.tuning.preferences import Pairs, Rater, causes_of, collect_pairs
from labcore.tuning.reward_model import KINDS, RewardModel, load_reward_model, reading
from labcore.tuning.reward_training import pair_accuracy, rewards_of

JUDGED_SUMS, JUDGED_PAIRS = 200, 500
MISREAD_PAIRS = 100
MOST_MARKS = 4  # what fits behind three digits, before the end
STRANGE = ("off", "reversed", "zeros", "empty", "marks", "noise", "endless")


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """Rewards above a right answer without marks to the same sum: mean and deviation over sums."""

    names: list[str]  # "right-0" … "right-4", then the strange ones
    mean: np.ndarray
    spread: np.ndarray
    planted: np.ndarray  # what the rater would pay; a taste, too, is only known where it was asked
    at_end: float  # pair accuracy of the score read where the answer ends
    at_padding: float  # and of the same model's, read in the last column
    agreement: float  # correlation of the two over answers
    deviation: float  # of the scores at the end
    shift: float  # how far the scores at the padding lie from those at the end, in the mean
    moved: float  # how far a score at the padding moves when the row is two columns narrower


@torch.no_grad()
def probe(model: RewardModel) -> Probe:
    """Ask a reward model about answers of many kinds, and read its score in the wrong place."""
    asked = sums.draw_sums(JUDGED_SUMS, torch.Generator().manual_seed(5), held_out=True)
    answers = strange_answers(asked, torch.Generator().manual_seed(6))
    rewards = torch.stack([model(asked.tokens, given) for given in answers.values()])
    above = (rewards - rewards[0]).double().numpy()  # (names, S)
    taste = Rater()
    worths = [(causes_of(asked, given) @ taste.worths).mean() for given in answers.values()]
    pairs = collect_pairs(
        load_policy(), taste, JUDGED_PAIRS, torch.Generator().manual_seed(7), True
    )
    end = rewards_of(model, pairs)
    wide, narrow = (
        padding_scores(model, pairs, columns)
        for columns in (sums.RESPONSE_TOKENS, sums.RESPONSE_TOKENS - 2)
    )
    fits = (pairs.responses[:, :, -2:] == sums.PAD).all(dim=2)  # nothing is cut off
    return Probe(
        names=list(answers),
        mean=above.mean(axis=1),
        spread=above.std(axis=1),
        planted=np.array(worths) - float(worths[0]),
        at_end=pair_accuracy(end, pairs),
        at_padding=pair_accuracy(wide, pairs),
        agreement=float(torch.corrcoef(torch.stack([end[fits], wide[fits]]))[0, 1]),
        deviation=float(end.std()),
        shift=float((wide - end)[fits].mean()),
        moved=float((wide - narrow)[fits].abs().mean()),
    )


def strange_answers(asked: sums.Sums, generator: torch.Generator) -> dict[str, Tensor]:
    """Right answers with 0 to 4 marks, then what nobody would write.  -> (S, R) each"""
    right, none = asked.left + asked.right, torch.zeros_like(asked.left)
    answers = {
        f"right-{marks}": sums.written(right, none + marks) for marks in range(MOST_MARKS + 1)
    }
    plain = answers["right-0"]
    answers["off"] = sums.written(right - 10, none)
    turned = torch.tensor([int(str(value)[::-1]) for value in right.tolist()])
    answers["reversed"] = sums.written(turned, none)
    answers["zeros"] = torch.cat([torch.zeros_like(plain[:, :1]), plain[:, :-1]], dim=1)  # "085"
    answers["empty"] = _filled(len(asked), [sums.END])
    answers["marks"] = _filled(len(asked), [sums.MARK, sums.MARK, sums.END])
    noise = torch.randint(len(sums.SYMBOLS), plain.shape, generator=generator)
    noise[:, -1] = sums.END
    answers["noise"] = noise
    answers["endless"] = torch.where(plain >= sums.END, sums.MARK, plain)  # "85!!!!!!"
    return answers


def _filled(rows: int, tokens: list[int]) -> Tensor:
    row = torch.full((sums.RESPONSE_TOKENS,), sums.PAD)
    row[: len(tokens)] = torch.tensor(tokens)
    return row.repeat(rows, 1)


@torch.no_grad()
def padding_scores(model: RewardModel, pairs: Pairs, columns: int) -> Tensor:
    """The well-known mistake: the score is read in the row's last column, padding or not.  -> (N, 2)

    In that place stands what the trunk makes of a token that was never part of a training pair's score.
    """
    prompts, scores = pairs.asked.tokens, []
    for at in (0, 1):
        responses = pairs.responses[:, at, :columns]
        hidden = model.trunk(torch.cat([prompts, responses], dim=1)).hidden  # (N, P + columns, D)
        scores.append(model.score(hidden[:, -1])[:, 0])
        for reader in model.reader:
            scores[-1] += model.judge(reading(reader, prompts, responses))[:, 0]
    return torch.stack(scores, dim=1)


@lab_config
class MisreadConfig:
    kind: str = "shallow"

    def __post_init__(self):
        if self.kind not in KINDS:
            raise LabInputError("kind", self.kind, "known_choice", allowed=KINDS)


@dataclass(frozen=True, slots=True, eq=False)
class Misread:
    """Scores of the same answers by a bundled model, read in three places."""

    at_end: np.ndarray  # (B,)
    at_padding: np.ndarray  # (B,) last of eight columns
    in_narrower_rows: np.ndarray  # (B,) last of six


@torch.no_grad()
def misread(config: MisreadConfig) -> Misread:
    model = load_reward_model(config.kind)
    generator = torch.Generator().manual_seed(7)
    pairs = collect_pairs(load_policy(), Rater(), MISREAD_PAIRS, generator, True)
    fits = (pairs.responses[:, :, -2:] == sums.PAD).all(dim=2)
    scores = [rewards_of(model, pairs)]
    scores += [padding_scores(model, pairs, sums.RESPONSE_TOKENS - less) for less in (0, 2)]
    return Misread(*(score[fits].double().numpy() for score in scores))


# An answer of one's own.


@lab_config
class OwnAnswer:
    left: int = 37
    right: int = 48
    answer: str = "85!"

    def __post_init__(self):
        for name in ("left", "right"):
            value = getattr(self, name)
            if not sums.LOWEST <= value <= sums.HIGHEST:
                low, high = sums.LOWEST, sums.HIGHEST
                raise LabInputError(name, value, "between", low=low, high=high)
        if len(self.answer) >= sums.RESPONSE_TOKENS:
            limit = sums.RESPONSE_TOKENS - 1
            raise LabInputError("answer", self.answer, "at_most_tokens", limit=limit)
        if set(self.answer) - set(sums.SYMBOLS):
            raise LabInputError("answer", self.answer, "symbols_of_sums")


@dataclass(frozen=True, slots=True, eq=False)
class OwnRewards:
    """Above the right answer without marks, by each of the bundled models and by the rater."""

    rewards: dict[str, float]  # by kind
    worth: float
    is_right: bool


def own_rewards(own: OwnAnswer) -> OwnRewards:
    asked = sums.Sums(torch.tensor([own.left]), torch.tensor([own.right]))
    plain = sums.written(asked.left + asked.right, torch.zeros(1, dtype=torch.long))
    given = _filled(1, [*map(sums.SYMBOLS.index, own.answer), sums.END])
    taste = Rater()
    worth = (causes_of(asked, given) - causes_of(asked, plain)) @ taste.worths
    both = asked.repeated(2).tokens, torch.cat([given, plain])
    rewards = {}
    for kind in KINDS:
        mine, right = load_reward_model(kind)(*both).tolist()
        rewards[kind] = mine - right
    return OwnRewards(rewards, float(worth), bool(sums.is_right(asked, given)))
