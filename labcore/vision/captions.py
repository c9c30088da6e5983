"""What is said of a scene, in two languages.

A caption is a row of words; English joins them by blanks, Chinese by nothing.

Axes: B scenes, T words.
"""

import numpy as np

from labcore.vision.pictures import ABOVE, ALONE, COLOURS, LEFT, SHAPES, Scenes

LANGUAGES = ("en", "zh")
COLOUR_WORDS = {
    "en": COLOURS,
    "zh": ("红色", "绿色", "蓝色", "黄色", "紫色", "黑色"),
}
SHAPE_WORDS = {
    "en": SHAPES,
    "zh": ("圆形", "方块", "三角", "十字"),
}
PAD, END = "·", "■"  # END stands behind a caption: where the Transformer's sentence is read off


def thing(colour: int, shape: int, language: str) -> tuple[str, ...]:
    """>>> thing(0, 0, "en"), thing(0, 0, "zh")
    (('a', 'red', 'circle'), ('红色', '的', '圆形'))
    """
    words = COLOUR_WORDS[language][colour], SHAPE_WORDS[language][shape]
    return ("a", *words) if language == "en" else (words[0], "的", words[1])


def caption(scenes: Scenes, at: int, language: str) -> tuple[str, ...]:
    """The words of one scene's caption.

    >>> from labcore.vision.pictures import all_scenes
    >>> join(caption(all_scenes(False, singles=False), 0, "en"), "en")
    'a red circle left of a green square'
    """
    first, second = (
        thing(int(scenes.colours[at, one]), int(scenes.shapes[at, one]), language) for one in (0, 1)
    )
    relation = scenes.relations[at]
    if relation == ALONE:
        return first
    if language == "en":
        return (*first, *(("left", "of") if relation == LEFT else ("above",)), *second)
    return (*first, "在", *second, "左边" if relation == LEFT else "上面")


def join(words: tuple[str, ...], language: str) -> str:
    return (" " if language == "en" else "").join(words)


VOCABULARY = (
    PAD,
    END,
    *dict.fromkeys(
        word
        for language in LANGUAGES
        for relation in (LEFT, ABOVE)
        for word in (
            *COLOUR_WORDS[language], *SHAPE_WORDS[language],
            *caption(Scenes(np.zeros((1, 2), int), np.zeros((1, 2), int), np.array([relation])), 0, language),
        )
    )
)  # fmt: skip
LONGEST = 9  # words of a caption with its END
IDS = {word: at for at, word in enumerate(VOCABULARY)}


def rows_of(captions: list[tuple[str, ...]]) -> np.ndarray:
    """Captions as numbers, END behind each, padded.  -> (B, T)"""
    rows = np.zeros((len(captions), LONGEST), np.int64)
    for at, words in enumerate(captions):
        rows[at, : len(words) + 1] = [*(IDS[word] for word in words), IDS[END]]
    return rows
