"""What the views of the attention lab look at."""

from dataclasses import dataclass

from labcore.architecture import attention_maps as lab


@dataclass(frozen=True, slots=True)
class Place:
    """One kind of attention in one pass, and the head chosen in it."""

    config: lab.AttentionConfig
    result: lab.AttentionResult
    heads: lab.Heads
    layer: int
    head: int


def band(share: float) -> str:
    """The answer to the question how many heads do a thing.

    >>> band(0.0), band(0.25), band(0.26), band(0.7)
    ('none', 'few', 'some', 'most')
    """
    if share == 0:
        return "none"
    return "few" if share <= 0.25 else "some" if share <= 0.5 else "most"
