"""The micro-world: agreement and memory in its stories, exactness of its probabilities."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.text.grammar import is_special
from labcore.text.lexicon import NAMES, THINGS
from labcore.text.stories import LANGUAGES
from labcore.text.world import (
    MicroWorld,
    Pair,
    Story,
    corpus_teller,
    dataset_hash,
    micro_world,
    pair_teller,
    pairs,
    sample_pair,
    sample_story,
    split_of,
    stories,
    story_teller,
)

LILY_LOST = (
    "One morning, Lily went to the park with a new red hat. She played with Tom there and forgot the "
    "hat. She looked everywhere but could not find it. At last, Tom found the red hat on a bench. "
    "Lily was happy again."
)
FOUND = "最后，汤姆在长椅上找到了那顶红色帽子。"


@pytest.fixture(scope="module")
def world() -> MicroWorld:
    return micro_world()


def test_probabilities_of_every_state_on_the_way_sum_to_one():
    generator = torch.Generator().manual_seed(0)
    for teller in (corpus_teller("stories"), corpus_teller("passages"), pair_teller()):
        for _ in range(40):
            state = teller.start
            while arcs := teller.step(state):
                assert math.isclose(sum(p for p, _, _ in arcs), 1)
                taken = int(torch.randint(len(arcs), (), generator=generator))
                state = arcs[taken][2]


def test_told_stories_are_read_again(world: MicroWorld):
    for story in stories(100, seed=1):
        nats = world.sequence_nats(world.story_ids(story))
        assert nats is not None
        assert len(nats) == len(world.story_ids(story)) - 1
        assert nats[0] == pytest.approx(math.log(2))  # the language is a fair coin


def test_tokens_never_cross_the_words_of_the_world(world: MicroWorld):
    """Then a word's tokens do not depend on its neighbours, and words and tokens tell the same story."""
    encode, generator = world.tokenizer.encode, torch.Generator().manual_seed(2)
    tellers = [story_teller("en"), story_teller("zh"), pair_teller()]
    told = [teller.tell(generator) for teller in tellers for _ in range(500)]
    neighbours = {pair for words in told for pair in pairwise(words)}
    neighbours = {pair for pair in neighbours if not any(map(is_special, pair))}
    assert len(neighbours) > 3000
    for first, second in neighbours:
        assert encode(first + second) == encode(first) + encode(second)


def test_most_words_are_one_token(world: MicroWorld):
    generator = torch.Generator().manual_seed(3)
    words = [
        w
        for language in LANGUAGES
        for _ in range(200)
        for w in story_teller(language).tell(generator)
    ]
    spelled = [len(world.tokenizer.encode(word)) for word in words if not is_special(word)]
    assert np.mean(np.array(spelled) == 1) > 0.97


def story_nats(world: MicroWorld, text: str, language: str = "en") -> float | None:
    nats = world.sequence_nats(world.story_ids(Story(language, text)))
    return None if nats is None else sum(nats)


def test_the_world_remembers_what_was_lost(world: MicroWorld):
    """The story is possible as it stands; with another colour, thing or pronoun later on it is not."""
    assert story_nats(world, LILY_LOST) > 0
    assert story_nats(world, LILY_LOST.replace("found the red hat", "found the blue hat")) is None
    assert story_nats(world, LILY_LOST.replace("forgot the hat", "forgot the pen")) is None
    assert story_nats(world, LILY_LOST.replace("She played", "He played")) is None
    assert story_nats(world, LILY_LOST.replace("Tom found", "Anna found")) is None
    assert story_nats(world, "Hello, world!") is None


def test_only_the_remembered_colour_can_follow(world: MicroWorld):
    prefix = world.story_ids(Story("en", LILY_LOST.partition(" red hat on")[0]))[:-1]
    row = world.next_token_distribution(prefix)
    assert row[world.tokenizer.encode(" red")] == pytest.approx(1)


def test_a_measure_word_is_open_to_the_left_and_certain_from_both_sides(world: MicroWorld):
    """一顶…帽子: before the noun 11 measure words are possible; afterwards only 顶 is."""
    text = "莉莉有一顶漂亮的红色帽子。一天早上，她带着它去了公园。回家的路上，她发现帽子不见了。"
    text += "她到处找，可是没有找到。" + FOUND + "莉莉又高兴起来了。"
    ids = world.story_ids(Story("zh", text))
    (measure,) = world.tokenizer.encode("顶")
    position = ids.index(measure)
    before = world.next_token_distribution(ids[:position])
    assert np.count_nonzero(before) == len({entry["zh.mw"] for entry in THINGS})
    assert before[measure] == pytest.approx(1 / 12)  # one of twelve things
    assert world.masked_posterior(ids, {position})[position][measure] == pytest.approx(1)


def test_next_token_distributions_agree_with_the_nats(world: MicroWorld):
    ids = world.story_ids(Story("en", LILY_LOST))
    rows = world.next_token_distributions(ids)
    assert rows.shape == (len(ids), world.tokenizer.vocab_size)
    assert rows[:-1].sum(axis=1) == pytest.approx(1)
    assert rows[-1].sum() == 0  # nothing follows <|eos|>
    surprise = -np.log(rows[np.arange(len(ids) - 1), ids[1:]])
    assert surprise == pytest.approx(world.sequence_nats(ids))
    assert world.next_token_distribution([*ids, ids[-1]]) is None


def test_hidden_names_can_be_anyone_of_the_same_pronoun(world: MicroWorld):
    """With both mentions hidden, "She" leaves the girls who are not Tom, each as likely as the other."""
    ids = world.story_ids(Story("en", LILY_LOST))
    (lily,) = world.tokenizer.encode(" Lily")
    hidden = {at for at, token in enumerate(ids) if token == lily}
    assert len(hidden) == 2
    girls = [entry["en"] for entry in NAMES if entry["en.he"] == "she"]
    wanted = np.zeros(world.tokenizer.vocab_size)
    for girl in girls:
        wanted[world.tokenizer.encode(f" {girl}")] = 1 / len(girls)
    for row in world.masked_posterior(ids, hidden).values():
        assert row == pytest.approx(wanted)


def test_translations_of_one_source_sum_to_one(world: MicroWorld):
    """All Chinese tellings of one English passage, followed through the automaton to their ends."""
    source, _ = world.pair_ids(Pair("At last, Tom found the red hat on a bench.", FOUND))
    total, ways = 0.0, [((), 1.0)]
    while ways:
        target, weight = ways.pop()
        row = world.translation_distribution(source, [*opening(world), *target])
        if target and target[-1] == world.tokenizer.eos_id:
            total += weight
            continue
        ways += [((*target, int(token)), weight * row[token]) for token in np.flatnonzero(row)]
    assert total == pytest.approx(1)


def opening(world: MicroWorld) -> list[int]:
    return [world.tokenizer.bos_id, world.tokenizer.special_id("<|zh|>")]


def test_a_translation_keeps_the_colour(world: MicroWorld):
    english = "At last, Tom found the red hat on a bench."
    right = world.translation_nats(*world.pair_ids(Pair(english, FOUND)))
    wrong = world.translation_nats(*world.pair_ids(Pair(english, FOUND.replace("红色", "蓝色"))))
    assert sum(right) > 0
    assert wrong is None


def test_pairs_are_short_and_read_again(world: MicroWorld):
    for pair in pairs(100, seed=4):
        source, target = world.pair_ids(pair)
        assert len(source) <= 30
        assert len(target) <= 30
        assert len(world.translation_nats(source, target)) == len(target) - 1


def test_floors_of_two_samples_agree_within_their_errors(world: MicroWorld):
    """Both estimate one number; their difference stays below 4 joint standard errors."""
    first, second = (world.causal_floor(world.dataset(150, seed=seed)) for seed in (5, 6))
    error = math.hypot(first.standard_error, second.standard_error)
    assert abs(first.nats_per_token - second.nats_per_token) < 4 * error
    assert 0.3 < first.nats_per_token < 0.6


def test_seeing_both_sides_lowers_the_floor(world: MicroWorld):
    """Conditioning cannot raise entropy: what comes after can only help to guess a hidden token."""
    sequences = world.dataset(25, seed=7)
    hidden = [{len(ids) // 2} for ids in sequences]
    both_sides = world.masked_floor(sequences, hidden).nats_per_token
    left_only = np.mean([world.sequence_nats(ids)[len(ids) // 2 - 1] for ids in sequences])
    assert both_sides < left_only


def test_a_floor_needs_stories_of_the_world(world: MicroWorld):
    with pytest.raises(LabInputError, match="from_the_world"):
        world.causal_floor([world.tokenizer.encode("no story at all")])


def test_training_and_held_out_texts_never_meet():
    train = {story.text for story in stories(150, seed=8)}
    held_out = {story.text for story in stories(30, seed=8, split="held_out")}
    assert not train & held_out
    sources = {pair.en for pair in pairs(300, seed=8)}
    assert not sources & {pair.en for pair in pairs(60, seed=9, split="held_out")}


def test_about_a_tenth_of_all_texts_is_held_out():
    """2000 fair draws at 0.1: within 4 standard errors of 200."""
    count = sum(split_of(f"text {number}") == "held_out" for number in range(2000))
    assert abs(count - 200) < 4 * math.sqrt(2000 * 0.1 * 0.9)


def test_one_seed_one_dataset(world: MicroWorld):
    first, again = world.dataset(20, seed=10), world.dataset(20, seed=10)
    assert first == again
    assert dataset_hash(first) == dataset_hash(again)
    assert dataset_hash(first) != dataset_hash(world.dataset(20, seed=11))


def test_every_plot_is_told_in_both_languages():
    """Eight plots drawn with equal chance: 200 stories of a language miss one with p < 1e-10."""
    generator = torch.Generator().manual_seed(12)
    marks = {
        "en": ["could not|because|What colour", "who had no", "birthday", "lived in", "half of", "each|every",
               "race", "night"],
        "zh": ["没有带|没带", "生日", "赛跑|比赛", "一半", "奇怪", "欢迎|等"],
    }  # fmt: skip
    for language, wanted in marks.items():
        told = [sample_story(language, generator).text for _ in range(200)]
        for mark in wanted:
            assert any(word in text for text in told for word in mark.split("|"))


def test_a_pair_is_english_and_chinese():
    pair = sample_pair(torch.Generator().manual_seed(13))
    assert pair.en.isascii()
    assert not any(letter.isascii() and letter.isalpha() for letter in pair.zh)


def test_unknown_language_and_split_are_refused():
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(LabInputError, match="known_language"):
        sample_story("fr", generator)
    with pytest.raises(LabInputError, match="known_split"):
        stories(1, seed=0, split="test")


def test_a_passage_is_a_short_text_that_the_world_of_passages_reads():
    """Its first choice is the language, a fair coin; every passage fits in 24 words."""
    world = micro_world("passages")
    for passage in stories(100, seed=5, corpus="passages"):
        ids = world.story_ids(passage)
        nats = world.sequence_nats(ids)
        assert nats is not None
        assert nats[0] == pytest.approx(math.log(2))
        assert len(ids) <= 3 + 24 * 2  # a word has two tokens at most, around it three specials


def test_one_hidden_token_of_a_passage_follows_bayes():
    """p(x | rest) = p(text with x) / Σ over all tokens y of p(text with y)."""
    world = micro_world("passages")
    ids = world.story_ids(stories(1, seed=6, corpus="passages")[0])
    place = len(ids) // 2
    chances = {}
    for token in range(world.tokenizer.vocab_size):
        nats = world.sequence_nats([*ids[:place], token, *ids[place + 1 :]])
        if nats is not None:
            chances[token] = math.exp(-sum(nats))
    posterior = world.masked_posterior(ids, {place})[place]
    for token, chance in chances.items():
        assert posterior[token] == pytest.approx(chance / sum(chances.values()))
    assert posterior.sum() == pytest.approx(1)
