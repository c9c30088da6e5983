"""Wishes: read in two languages, given back where they are not understood, and held against points."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from app.i18n import LANGUAGES, Words
from labcore.compression import board
from labcore.compression.board import Point, PointConfig
from labcore.compression.constraints import FULL_WIDTH, Wish, best, parse, parted, read
from labcore.compression.wish_words import number_of
from labcore.errors import LabInputError

MIB = 2**20 / 1e6


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("under 40 MB, under 20 ms", [("size_mb", "below", 40, False), ("token_ms", "below", 20, False)]),
        ("小于 40 MB，延迟 20 毫秒以内", [("size_mb", "below", 40, False), ("token_ms", "below", 20, True)]),
        ("小于40MB，延迟20毫秒以内", [("size_mb", "below", 40, False), ("token_ms", "below", 20, True)]),
        ("＜４０ＭＢ；损失低于０.６", [("size_mb", "below", 40, False), ("loss_nats", "below", 0.6, False)]),
        ("首个词元不超过 0.5 秒；吞吐量至少 900 词元/秒",
         [("first_ms", "below", 500, True), ("tokens_per_second", "above", 900, True)]),
        ("first token < 30ms and memory <= 2 MiB",
         [("first_ms", "below", 30, False), ("memory_mb", "below", 2 * MIB, True)]),
        ("weights and cache under 6 MB and loss below 0,46",
         [("memory_mb", "below", 6, False), ("loss_nats", "below", 0.46, False)]),
        ("权重和缓存小于 6 MB 和损失低于 .46",
         [("memory_mb", "below", 6, False), ("loss_nats", "below", 0.46, False)]),
        ("size<2MB but loss<.5", [("size_mb", "below", 2, False), ("loss_nats", "below", 0.5, False)]),
        ("under 2 MB,300 ms", [("size_mb", "below", 2, False), ("token_ms", "below", 300, True)]),
        ("under 2 MB. under 3 ms.", [("size_mb", "below", 2, False), ("token_ms", "below", 3, False)]),
        ("0.5 nats", [("loss_nats", "below", 0.5, True)]),
        ("more than 2e3 tokens/s", [("tokens_per_second", "above", 2000, False)]),
        ("at least 1,500 tokens per second", [("tokens_per_second", "above", 1500, True)]),
        ("900 词元/秒", [("tokens_per_second", "above", 900, True)]),
        ("size 800 KB", [("size_mb", "below", 0.8, True)]),
        ("20 milliseconds or less", [("token_ms", "below", 20, True)]),
        ("3MB以下", [("size_mb", "below", 3, True)]),
    ],
)  # fmt: skip
def test_wishes_in_two_languages(text, wishes):
    assert parse(text) == ([Wish(*wish) for wish in wishes], [])


@pytest.mark.parametrize("no_more", [
    "not over", "no more than", "must not exceed", "don't exceed", "no larger than", "at most", "up to",
    "less than or equal to", "不超过", "不能超过", "不得大于", "没有超过", "小于等于", "≤",
])  # fmt: skip
def test_a_denied_word_turns_round(no_more):
    """ "Not over 4 MB" allows 4 and forbids 5; "over 4 MB" is the opposite."""
    (wish,), unread = parse(f"{no_more} 4 MB")
    assert (wish.holds(4), wish.holds(5), unread) == (True, False, [])


@pytest.mark.parametrize(
    "no_less", ["not under", "no less than", "at least", "不低于", "不能少于", "≥"]
)
def test_a_denied_lower_word_too(no_less):
    (wish,), _ = parse(f"{no_less} 900 tokens/s")
    assert (wish.holds(900), wish.holds(800)) == (True, False)


def test_faster_is_less_of_a_time_and_more_of_a_rate():
    assert parse("faster than 2 ms")[0] == [Wish("token_ms", "below", 2, False)]
    assert parse("快于 900 词元/秒")[0] == [Wish("tokens_per_second", "above", 900, False)]
    assert parse("no slower than 2 ms")[0] == [Wish("token_ms", "below", 2, True)]


def test_a_sign_behind_the_number_reads_the_other_way():
    """2 MB > size and 0.5 >= loss say the same as size < 2 MB and loss <= 0.5."""
    assert parse("2 MB > size") == parse("size < 2 MB")
    assert parse("0.5 >= loss") == parse("loss <= 0.5")


@pytest.mark.parametrize(
    "text",
    ["fast", "5 apples", "40", "loss under 4 MB", "under MB", "1 MB 2 MB", "<script>", "-5 ms", "5 min",
     "cache under 2 MB", "1e999 MB", "GPT4 MB", "v1.2.3 MB", "loss 50%", "between 1 and 2 MB",
     "between 1 MB and 2 MB", "1/2 ms", "小于四十兆"],
)  # fmt: skip
def test_what_is_not_understood_comes_back_whole(text):
    assert parse(text) == ([], [text])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("quantity", board.QUANTITIES)
@pytest.mark.parametrize(("sign", "kind"), list(zip(
    "<≤>≥", itertools.product(("below", "above"), (False, True)), strict=True
)))  # fmt: skip
def test_what_the_page_echoes_is_read_as_the_same_wish(language, quantity, sign, kind):
    name = Words(language, "board")(f"quantity.{quantity}")
    assert parse(f"{name} {sign} 0.75") == ([Wish(quantity, kind[0], 0.75, kind[1])], [])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_on_the_page_is_understood(language):
    wishes, unread = parse(Words(language, "board")("wishes.default"))
    assert [(w.quantity, w.limit) for w in wishes] == [
        ("size_mb", 2), ("token_ms", 2), ("loss_nats", 0.46),
    ]  # fmt: skip
    assert not unread


def test_numbers_as_people_write_them():
    given = ["1,500", "1,234,567.5", "0,46", "0.46", "12,34", ".5", "2e3"]
    assert [number_of(one) for one in given] == [1500, 1234567.5, 0.46, 0.46, 12.34, 0.5, 2000]


@settings(max_examples=150, deadline=None)
@given(some.text(alphabet=some.one_of(some.sampled_from("0123456789.,<>≤ MBmskn和不超过小于以内under"),
                                      some.characters()), max_size=120))  # fmt: skip
def test_no_text_breaks_the_reader(text):
    for part in parted(text.translate(FULL_WIDTH)):
        wish = read(part)
        assert wish is None or (wish.quantity in board.QUANTITIES and 0 <= wish.limit < 1e300)


def test_too_much_text_is_refused():
    for text in ("x" * 400, "1 MB;" * 20):
        with pytest.raises(LabInputError):
            parse(text)


def test_nothing_asked_is_nothing_read():
    assert parse("") == parse(" ,，; \n") == ([], [])


def point(mb, nats, memory=None, batch=1):
    more = mb + 1 if memory is None else memory
    return Point(PointConfig(batch=batch), mb, nats, (1.0, 1.0, 1.0), (2.0, 1.0, 3.0), 500.0, more)


def test_the_best_under_limits_by_hand():
    """A (4, 0.44), B (2, 0.45), C (1, 0.60). Under 3 MB: B by loss, C by size. Under 3 MB and at most 0.44:
    none; A misses by 1/3 of its limit, B by 0.01/0.44."""
    points = [point(4, 0.44), point(2, 0.45), point(1, 0.60)]
    small = parse("under 3 MB")[0]
    assert (best(points, small, "loss_nats").at, best(points, small, "size_mb").at) == (1, 2)
    found = best(points, parse("under 3 MB, loss at most 0.44")[0], "loss_nats")
    assert (found.feasible, found.at, found.alone, found.missed) == (0, 1, (2, 1), (1,))
    assert best(points, [], "loss_nats").at == 0
    with pytest.raises(LabInputError):
        best([], small, "loss_nats")
    with pytest.raises(LabInputError):
        best(points, small, "beauty")


def test_a_limit_counts_by_its_direction():
    """Size 2 exactly: "under 2 MB" has nobody, and the nearest miss is the point on the limit."""
    points = [point(4, 0.44), point(2, 0.45)]
    assert best(points, parse("at most 2 MB")[0], "loss_nats").feasible == 1
    found = best(points, parse("under 2 MB")[0], "loss_nats")
    assert (found.feasible, found.at, found.missed) == (0, 1, (0,))


@settings(max_examples=60, deadline=None)
@given(some.lists(some.tuples(*[some.integers(1, 3)] * 3), min_size=1, max_size=12),
       some.integers(1, 3), some.sampled_from(("size_mb", "loss_nats", "memory_mb")))  # fmt: skip
def test_the_best_is_on_the_front_of_what_is_allowed(numbers, limit, goal):
    """Whatever ties there are, no allowed point is as good in everything and better in something."""
    points = [point(*three) for three in numbers]
    wishes = [Wish("size_mb", "below", limit, True)]
    found = best(points, wishes, goal)
    allowed = [p for p in points if p.size_mb <= limit]
    assert found.feasible == len(allowed)
    if allowed:
        front = board.pareto(board.costs(allowed, board.QUANTITIES))
        chosen = points[found.at]
        assert any(chosen is p for p, stays in zip(allowed, front, strict=True) if stays)
        assert board.value(chosen, goal) == min(board.value(p, goal) for p in allowed)
