"""A language model that reads pictures: patches, through a projector, stand where words would stand.

    <bos> <|en|> [9 soft words: one for each 2 × 2 patches] What colour is the circle? red <eos>

The eye is the one that learnt to match captions, and stays as it is. The projector, a small MLP, maps what
four neighbouring patches have become to the width of the language model's words; four to one, as what stands
before every text costs attention in every step. The language model is the bundled writer of stories,
which has never seen a picture: it stays as it is, gets a small correction (LoRA), or is trained as a whole.

Sources: Liu et al., arXiv:2304.08485 and 2310.03744 (LLaVA); Qwen2-VL, arXiv:2409.12191 (four to one).
Axes: B pictures, N patches, W soft words, T tokens of a row, L layers, H heads, D widths.
"""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore import zoo
from labcore.errors import LabInputError
from labcore.model.transformer import Output, Transformer
from labcore.text.bpe import BPETokenizer
from labcore.text.masking import IGNORE
from labcore.tuning.lora import LoRAConfig, attach
from labcore.vision.pair_model import WIDTH
from labcore.vision.patches import GRID, Eye
from labcore.vision.tellable import Told

WRITER = "world-decoder"
MODES = ("frozen", "lora", "full")
LORA = LoRAConfig(rank=16, alpha=32.0)
MERGED = 2  # patches a side that become one soft word
SOFT_WORDS = (GRID // MERGED) ** 2
OPENING = 2  # tokens before the picture: <bos> and the language
LONGEST_ANSWER = 24  # tokens


class Projector(nn.Module):
    """From what patches have become to soft words."""

    def __init__(self, width: int, size: float, generator: torch.Generator):
        super().__init__()
        wide = MERGED**2 * WIDTH
        self.norm = nn.LayerNorm(wide)
        self.up, self.down = nn.Linear(wide, width), nn.Linear(width, width)
        with torch.no_grad():
            for layer, scale in ((self.up, 1.0), (self.down, 1.5 * size)):
                layer.weight.normal_(0, scale * layer.in_features**-0.5, generator=generator)
                layer.bias.zero_()

    def forward(self, seen: Tensor) -> Tensor:  # (B, N, D of the eye) -> (B, W, D of the writer)
        return self.down(F.gelu(self.up(self.norm(merged(seen)))))


def merged(seen: Tensor) -> Tensor:
    """Squares of 2 × 2 patches, one after the other.  (B, N, D) -> (B, N / 4, 4·D)"""
    squares = seen.unflatten(1, (GRID // MERGED, MERGED, GRID // MERGED, MERGED))
    return squares.transpose(2, 3).flatten(3).flatten(1, 2).flatten(2)


class PictureReader(nn.Module):
    """Eye, projector and language model. `mode` says what of the language model is trained."""

    def __init__(self, eye: Eye, mode: str, generator: torch.Generator):
        super().__init__()
        if mode not in MODES:
            raise LabInputError("mode", mode, "known_choice", allowed=MODES)
        loaded = zoo.load(WRITER)
        self.tokenizer: BPETokenizer = loaded.tokenizer
        self.writer: Transformer = copy.deepcopy(loaded.model)
        self.writer.requires_grad_(mode == "full")
        self.eye = copy.deepcopy(eye).requires_grad_(False)
        words = self.writer.token_embedding.weight.detach()
        self.projector = Projector(words.shape[1], float(words.std()), generator)
        if mode == "lora":
            attach(self.writer, LORA, generator)

    def soft_words(self, pictures: Tensor) -> Tensor:
        """(B, P, P, 3) -> (B, W, D)"""
        return self.projector(self.eye(pictures).hidden)

    def read(self, tokens: Tensor, soft: Tensor, trace: bool = False) -> Output:
        """Rows whose places 2 to 2 + W are the picture's.  (B, T), (B, W, D)"""
        return self.writer(
            tokens,
            trace=trace,
            interventions={"embed.tokens": lambda words: with_picture(words, soft)},
        )

    def trained(self) -> dict[str, Tensor]:
        return {name: w for name, w in self.named_parameters() if w.requires_grad}


def with_picture(words: Tensor, soft: Tensor) -> Tensor:
    """The picture's soft words in the places that were kept for them.  (B, T, D), (B, W, D) -> (B, T, D)"""
    after = OPENING + soft.shape[1]
    return torch.cat([words[:, :OPENING], soft.expand(len(words), -1, -1), words[:, after:]], dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    tokens: Tensor  # (B, T)
    targets: Tensor  # (B, T) IGNORE but for the answer and its end


def rows_of(tokenizer: BPETokenizer, lines: list[Told]) -> Rows:
    """Opening, room for the picture, question, answer, end; asked for is only the answer."""
    spelt = [
        (tokenizer.encode(line.question), [*tokenizer.encode(line.answer), tokenizer.eos_id])
        for line in lines
    ]
    start = OPENING + SOFT_WORDS
    length = start + max(len(question) + len(answer) for question, answer in spelt)
    tokens = torch.full((len(lines), length), tokenizer.pad_id)
    targets = torch.full((len(lines), length), IGNORE)
    for row, (question, answer) in enumerate(spelt):
        tokens[row, :OPENING] = torch.tensor(opening(tokenizer, lines[row].language))
        end = start + len(question) + len(answer)
        tokens[row, start:end] = torch.tensor([*question, *answer])
        targets[row, end - len(answer) - 1 : end - 1] = torch.tensor(answer)
    return Rows(tokens, targets)


def opening(tokenizer: BPETokenizer, language: str) -> list[int]:
    return [tokenizer.bos_id, tokenizer.special_id(f"<|{language}|>")]


def reading_loss(reader: PictureReader, rows: Rows, soft: Tensor) -> Tensor:
    """Mean surprise at the answers' tokens, in nats."""
    logits = reader.read(rows.tokens, soft).logits
    return F.cross_entropy(logits.flatten(0, 1), rows.targets.flatten(), ignore_index=IGNORE)


@torch.no_grad()
def answered(reader: PictureReader, rows: Rows, soft: Tensor) -> Tensor:
    """Whether writing the likeliest token each time gives the answer to its end.  -> (B,) bool

    If every token of the answer is the likeliest after those before it, that is what would be written.
    """
    likeliest = reader.read(rows.tokens, soft).logits.argmax(dim=-1)
    return ((likeliest == rows.targets) | (rows.targets == IGNORE)).all(dim=1)
