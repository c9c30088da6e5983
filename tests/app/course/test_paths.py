"""Every route can be walked: its labs exist, and what a lab builds on comes before it."""

import pytest

from app import catalog, practice
from app.course import paths, quiz
from app.i18n import LANGUAGES


@pytest.mark.parametrize("route", paths.ROUTES)
def test_what_a_lab_needs_comes_before_it(route):
    labs = paths.ROUTES[route]
    assert len(set(labs)) == len(labs)
    for place, lab in enumerate(labs):
        assert set(catalog.NEEDS.get(lab, ())) <= set(labs[:place]), lab


def test_the_beginners_route_is_the_whole_course():
    """All labs in their order; the mathematics is a side road off it."""
    side = {lab.id for lab in catalog.chapter("foundations").labs}
    assert paths.ROUTES["beginner"] == tuple(lab for lab in catalog.LABS if lab not in side)
    assert paths.ROUTES["beginner"][0] == catalog.chapter("transformer").labs[0].id


@pytest.mark.parametrize("chapter", [chapter.id for chapter in catalog.CHAPTERS])
def test_a_quiz_asks_every_lab_and_in_the_end_every_statement(chapter):
    labs = [lab.id for lab in catalog.chapter(chapter).labs]
    rounds = max((practice.count(lab) for lab in labs), default=0)
    asked = [quiz.items(labs, round) for round in range(rounds)]
    assert all([item.lab for item in one] == labs for one in asked)
    everything = {quiz.Item(lab, n) for lab in labs for n in range(1, practice.count(lab) + 1)}
    assert {item for one in asked for item in one} == everything


def test_both_languages_judge_alike():
    for lab in catalog.LABS.values():
        kinds = [[one.kind for one in practice.statements(lab, lang)] for lang in LANGUAGES]
        assert kinds[0] == kinds[1], lab.id
        assert len(kinds[0]) >= 3, lab.id


def test_the_check_asks_every_chapter_that_has_labs():
    for chapter, labs in quiz.PLACEMENT_LABS.items():
        assert {catalog.LABS[lab].chapter for lab in labs} == {chapter}
