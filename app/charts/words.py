"""The words that figures need whatever the lab: "Head 3", "Query", "masked"."""

from __future__ import annotations

from app.i18n import Words


def figure_words(text: Words) -> Words:
    """Looks up `assets/strings/<lang>/figures.toml`, in the language of the lab's own words.

    >>> figure_words(Words("en", "attention_maps"))("head", number=3)
    'Head 3'
    """
    return Words(text.language, "figures")
