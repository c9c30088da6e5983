"""Plots become automata: stories and passages in one language, and a passage told in two."""

from collections.abc import Callable, Sequence

from labcore.text.forms import Variable
from labcore.text.grammar import Choose, Draw, End, Follow, Node, Say, compile_template, longest
from labcore.text.lexicon import VARIABLES
from labcore.text.plots import Beat, Plot
from labcore.text.plots_animals import COUNT, MEAL, RACE, SOUND
from labcore.text.plots_people import GIFT, LOAN, LOST, VISIT

PLOTS: tuple[Plot, ...] = (LOST, LOAN, GIFT, VISIT, MEAL, COUNT, RACE, SOUND)
LANGUAGES = ("en", "zh")
PASSAGE_WORDS = 24  # a passage has at most so many words in either language
Passage = Sequence[tuple[str, Beat]]  # named beats
BOS, EOS = "<|bos|>", "<|eos|>"


def tell_beats(beats: Passage, language: str, then: Node) -> Node:
    """The nodes of some beats in one language; each beat is named, so that its variant is kept."""
    for name, beat in reversed(beats):
        variant = Variable(name, tuple({"weight": str(line.weight)} for line in beat))
        texts = [line.en if language == "en" else line.zh for line in beat]
        options = tuple(compile_template(text, language, then, VARIABLES) for text in texts)
        then = Draw(variant, Follow(name, options))
    return then


def named(plot: Plot) -> Passage:
    return [(f"beat {position}", beat) for position, beat in enumerate(plot)]


def story_nodes(language: str) -> Node:
    """All plots in one language, from its tag to `<|eos|>`."""
    ending = Say(EOS, End())
    return Say(
        f"<|{language}|>", _equally([tell_beats(named(plot), language, ending) for plot in PLOTS])
    )


def passages() -> list[Passage]:
    """One beat or two neighbours of a plot, if short in both languages."""
    windows = []
    for plot in PLOTS:
        beats = named(plot)
        windows += [beats[at : at + size] for size in (1, 2) for at in range(len(beats) - size + 1)]
    return [window for window in windows if _most_words(window) <= PASSAGE_WORDS]


def _most_words(window: Passage) -> int:
    return max(longest(tell_beats(window, language, End())) for language in LANGUAGES)


def passage_nodes(language: str) -> Node:
    """All passages in one language, from its tag to `<|eos|>`."""
    told = [tell_beats(window, language, Say(EOS, End())) for window in passages()]
    return Say(f"<|{language}|>", _equally(told))


def corpus_nodes(nodes: Callable[[str], Node]) -> Node:
    """A training sequence: either language, half of the time each."""
    return Say(BOS, _equally([nodes(language) for language in LANGUAGES]))


def pair_nodes() -> Node:
    """A passage in English, then in Chinese, told twice from the same decisions."""
    return Say("<|en|>", _equally([_told_twice(window) for window in passages()]))


def _equally(options: Sequence[Node]) -> Node:
    return Choose(tuple((1 / len(options), option) for option in options))


def _told_twice(window: Passage) -> Node:
    chinese = tell_beats(window, "zh", Say(EOS, End()))
    return tell_beats(window, "en", Say(EOS, Say(BOS, Say("<|zh|>", chinese))))
