"""Distillation: a small model learns from what a large one believes, not from the right answer alone.

The teacher's distribution says more than the token that came: which others would have done nearly as well.
A temperature above 1 flattens both distributions, so that the small probabilities count.

Sources: Hinton et al., arXiv:1503.02531 (temperature, and its square); reverse KL: MiniLLM, arXiv:2306.08543;
hidden states: FitNets, arXiv:1412.6550; attention: TinyBERT, arXiv:1909.10351.
Axes: N places, V vocabulary, B batch, T position, D width of the teacher, d of the student, H heads.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from labcore.errors import LabInputError

DIRECTIONS = ("forward", "reverse")


def distillation_loss(
    student: Tensor, teacher: Tensor, temperature: float = 1.0, direction: str = "forward"
) -> Tensor:
    """T² · KL between teacher and student at temperature T, the mean over places.  (N, V), (N, V) -> ()

    Forward, KL(teacher ‖ student): the student must cover all that the teacher finds possible. Reverse,
    KL(student ‖ teacher): it must say nothing that the teacher finds impossible, and may leave things out.

    The T²: a flattened softmax has gradients T times smaller, in the logits of both, so that without it a
    higher temperature would also be a smaller weight against the plain loss.
    """
    if not temperature > 0:
        raise LabInputError("temperature", temperature, "positive")
    if direction not in DIRECTIONS:
        raise LabInputError("direction", direction, "known_choice", allowed=DIRECTIONS)
    told, said = ((logits / temperature).log_softmax(dim=-1) for logits in (teacher, student))
    if direction == "reverse":
        told, said = said, told
    return temperature**2 * (told.exp() * (told - said)).sum(dim=-1).mean()


def mixed_loss(
    student: Tensor, teacher: Tensor, targets: Tensor, weight: float, temperature: float,
    direction: str = "forward",
) -> Tensor:  # fmt: skip
    """(1 − w) · cross-entropy with what came + w · distillation.  (N, V), (N, V), (N,) -> ()"""
    if not 0 <= weight <= 1:
        raise LabInputError("weight", weight, "between", low=0, high=1)
    plain = F.cross_entropy(student, targets)
    return (1 - weight) * plain + weight * distillation_loss(
        student, teacher, temperature, direction
    )


def hidden_loss(student: Tensor, teacher: Tensor, projection: nn.Linear) -> Tensor:
    """Squared distance of hidden states; a learned map bridges the widths.  (…, d), (…, D) -> ()"""
    return F.mse_loss(projection(student), teacher)


def attention_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy of attention maps: look where the teacher looks.  (B, H, T, S) twice -> ()

    Heads are averaged, since teacher and student need not have the same number.
    """
    looked, looks = teacher.mean(dim=1), student.mean(dim=1)  # (B, T, S)
    return -(looked * looks.clamp(min=1e-9).log()).sum(dim=-1).mean()
