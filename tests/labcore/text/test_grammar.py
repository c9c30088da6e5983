"""Templates: what they say, what they remember, what they refuse."""

import pytest
import torch

from labcore.text.forms import Variable, form
from labcore.text.grammar import End, Say, Storyteller, compile_template, longest
from labcore.text.lexicon import VARIABLES

TAIL = Say("<|eos|>", End())
FRUIT = Variable("fruit", ({"en": "apple", "zh": "苹果"}, {"en": "pear", "zh": "梨"}))


def tell(template: str, language: str = "en", seed: int = 0, **variables: Variable) -> str:
    teller = Storyteller(compile_template(template, language, TAIL, VARIABLES | variables))
    return "".join(teller.tell(torch.Generator().manual_seed(seed)))


def test_english_words_bring_their_space_and_marks_do_not():
    assert tell('said , " ~Come ! ~"') == 'said, "Come!"<|eos|>'


def test_chinese_words_stand_without_spaces():
    assert tell("小明 笑 了 。", "zh") == "小明笑了。<|eos|>"


def test_the_article_follows_the_noun():
    said = {tell("I ate {fruit.a} {fruit} .", seed=seed, fruit=FRUIT) for seed in range(20)}
    assert said == {"I ate an apple.<|eos|>", "I ate a pear.<|eos|>"}


def test_a_variable_keeps_its_value():
    for seed in range(10):
        first, _, second = tell("{fruit} and {fruit}", seed=seed, fruit=FRUIT)[:-7].partition(
            " and "
        )
        assert first == second


def test_variables_that_must_differ_do():
    for seed in range(50):
        hero, _, friend = tell("{hero} met {friend}", seed=seed)[:-7].partition(" met ")
        assert hero != friend


def test_a_capital_is_made_from_the_plain_form():
    lily = VARIABLES["hero"].entries[0]
    assert (form(lily, "he", "en"), form(lily, "His", "en"), form(lily, "他", "zh")) == (
        "she",
        "Her",
        "她",
    )


def test_weights_before_a_colon_are_shares():
    start = Storyteller(compile_template("(3:yes|no|)", "en", Say("so", TAIL), {})).start
    arcs = Storyteller(start.node).step(start)
    assert {word: p for p, word, _ in arcs} == pytest.approx({"yes": 0.6, "no": 0.2, "so": 0.2})


def test_states_forget_what_the_rest_does_not_need():
    """After the last mention of the fruit, both fruits lead to one and the same state."""
    teller = Storyteller(compile_template("{fruit} is good", "en", TAIL, {"fruit": FRUIT}))
    following = {state for _, _, state in teller.step(teller.start)}
    assert len(following) == 1


def test_longest_counts_words_along_the_longest_choice():
    assert longest(compile_template("a (b|c d|) e", "en", TAIL, {})) == 4 + 1


@pytest.mark.parametrize("template", ["a ) b", "a | b"])
def test_unbalanced_parentheses_are_refused(template: str):
    with pytest.raises(ValueError, match="unbalanced"):
        compile_template(template, "en", TAIL, {})
