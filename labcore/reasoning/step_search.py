"""Tree search over steps: a verifier of steps prunes while the chain is still being written.

Beams of half-written chains. From each, the writer draws a few next steps; the verifier says how likely each
is right; the best chains of all live on. A whole chain of a weak writer is hardly ever right, but of
four tries at one step one mostly is.

Sources: Lightman et al., arXiv:2305.20050 (the verifier); Xie et al., arXiv:2305.00633, and Snell et al.,
arXiv:2408.03314 (beam search against it at equal budgets).
Axes: Q questions, B beams, C tries at a step, N digits.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.model.transformer import Transformer
from labcore.reasoning.answering import answer_after, step_logits
from labcore.reasoning.chains import PAD, draw_questions, running_sums
from labcore.reasoning.verifiers import KINDS
from labcore.reasoning.vote import verifier
from labcore.reasoning.writers import DIGITS, TASK, WRITERS, load_writer


@lab_config
class StepSearchConfig:
    writer: str = "weak"
    judge: str = "process"
    beams: int = 4  # B
    tries: int = 4  # C, drawn from each beam at each step
    questions: int = 100  # Q
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"writer": WRITERS, "judge": KINDS})
        check_limits(self, {"beams": (1, 32), "tries": (1, 16)})
        check_limits(self, {"questions": (1, 1000), "seed": (0, 2**31)})

    @property
    def tokens(self) -> int:
        """Written for one question, and as many judged: every try counts, kept or not."""
        return DIGITS * self.beams * self.tries + 1


@torch.no_grad()
def search_steps(
    writer: Transformer, judge: Transformer, questions: Tensor, beams: int, tries: int,
    generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """The best chain that the beams found.  (Q, N) -> (Q, N)

    subtle: equal chains may fill several beams. They are then so many more tries at the next step.
    """
    count, digits = questions.shape
    asked = questions.repeat_interleave(beams, dim=0)  # (Q·B, N)
    chains = asked[:, :0]
    scores = torch.zeros(count, beams)  # ln of the chance that all steps so far are right
    for _ in range(digits):
        ahead = torch.cat([chains, torch.full((len(chains), 1), PAD)], dim=1)  # its last is unread
        probs = step_logits(writer, asked, ahead)[:, -1].softmax(dim=1)
        drawn = torch.multinomial(probs, tries, replacement=True, generator=generator)
        said = F.logsigmoid(step_logits(judge, asked, ahead)[:, -1]).gather(1, drawn)  # (Q·B, C)
        total = (scores.flatten()[:, None] + said).reshape(count, beams * tries)
        scores, best = total.topk(beams, dim=1)  # (Q, B)
        parents = best // tries + beams * torch.arange(count)[:, None]
        taken = drawn.reshape(count, -1).gather(1, best).flatten()
        chains = torch.cat([chains[parents.flatten()], taken[:, None]], dim=1)
    return chains.reshape(count, beams, digits)[:, 0]


def accuracy(config: StepSearchConfig) -> float:
    """The share of questions whose found chain leads to the right answer."""
    generator = torch.Generator().manual_seed(config.seed)
    questions = draw_questions(config.questions, DIGITS, TASK, generator)
    writer = load_writer(config.writer)
    chains = search_steps(
        writer, verifier(config.judge), questions, config.beams, config.tries, generator
    )
    truth = running_sums(questions, TASK)[:, -1]
    return float((answer_after(writer, questions, chains) == truth).float().mean())
