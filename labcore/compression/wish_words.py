"""The words of a wish in two languages: numbers, units, directions, and what is wished about.

Longer words stand first, for they hold shorter ones: "no more than" holds "more than", "不超过" holds "超过".
"""

import re

# "over" is no part of "recover"; a sign or a Chinese word needs no gap around it.
_BEGINS, _ENDS = r"(?<![a-z](?=[a-z]))", r"(?!(?<=[a-z])[a-z])"

# How each word compares: below or above, whether the limit itself will do. "good" is the better side of
# the quantity, "faster than 2 ms" and "faster than 900 tokens/s"; "bad" the other.
_NOT = r"(?:not|no|never|cannot|(?:don|doesn|mustn|shouldn|can)['’]?t)\s+(?:be\s+)?(?:any\s+)?"
_NICHT = r"(?:不|别|勿|没有?)(?:能|要|得|可以|可|应|会|许|该)?(?:再)?"
_MORE, _LESS = (
    r"(?:over|above|exceed(?:ing|s)?|(?:more|larger|bigger|greater|higher|longer|heavier) than|beyond)",
    r"(?:under|below|(?:less|fewer|smaller|lower|shorter|lighter) than)",
)
_MEHR, _WENIGER = r"(?:超过|超出|大于|高于|多于|大过)", r"(?:小于|低于|少于|小过)"
_GLEICH = r"(?:或|或者)?(?:等于|等于或)"
DIRECTIONS: tuple[tuple[str, str, bool], ...] = tuple(
    (rf"{_BEGINS}(?:{words}){_ENDS}", direction, inclusive)
    for words, direction, inclusive in (
        (rf"{_NOT}(?:slower|worse) than|or (?:better|faster)|{_NICHT}(?:慢于|差于)", "good", True),
        (rf"{_NOT}(?:faster|better) than|or (?:worse|slower)|{_NICHT}(?:快于|优于|好于)", "bad", True),
        (rf"{_NOT}{_MORE}|{_LESS} or equal(?: to)?|at most|up to|within|max(?:imum)?|or less|"
         rf"or (?:below|under|fewer)|{_NICHT}{_MEHR}|{_WENIGER}{_GLEICH}|至多|最多|最大|上限|"
         r"(?:以|之)(?:内|下)|≤|<=|=<|⩽|≦", "below", True),
        (rf"{_NOT}{_LESS}|{_MORE} or equal(?: to)?|at least|min(?:imum)?|or (?:more|above|over)|"
         rf"{_NICHT}{_WENIGER}|{_MEHR}{_GLEICH}|至少|最少|最小|下限|(?:以|之)上|≥|>=|=>|⩾|≧", "above", True),
        (r"(?:faster|better|quicker) than|快于|优于|好于", "good", False),
        (r"(?:slower|worse) than|慢于|差于", "bad", False),
        (rf"{_LESS}|{_WENIGER}|<", "below", False),
        (rf"{_MORE}|{_MEHR}|>", "above", False),
    )
)  # fmt: skip
TURNED = re.compile(
    r"\s*(<=|>=|[<>≤≥])"
)  # "2 MB > size": the sign behind the number reads the other way

_A_SECOND = r"(?:\s*/\s*|\s+per\s+|\s*每\s*)(?:s|sec|second|秒)(?:钟)?"
# unit -> the quantity that it speaks of by itself, and its size in that quantity's own unit
UNITS: tuple[tuple[str, str, float], ...] = (
    (rf"(?:个\s*)?(?:tokens?|toks?|词元|令牌){_A_SECOND}|tps", "tokens_per_second", 1.0),
    (r"nats?(?:\s*(?:/|per)\s*token)?|奈特(?:/词元)?|纳特", "loss_nats", 1.0),
    (r"gib", "size_mb", 2**30 / 1e6), (r"mib", "size_mb", 2**20 / 1e6), (r"kib", "size_mb", 2**10 / 1e6),
    (r"gb|gigabytes?", "size_mb", 1e3), (r"mb|megabytes?|兆字节|兆", "size_mb", 1.0),
    (r"kb|kilobytes?|千字节", "size_mb", 1e-3), (r"bytes?|字节|b", "size_mb", 1e-6),
    (r"ms|msecs?|milliseconds?|毫秒", "token_ms", 1.0),
    (r"[uµμ]s|microseconds?|微秒", "token_ms", 1e-3),
    (r"seconds?|secs?|秒钟?|s", "token_ms", 1e3),
)  # fmt: skip
UNIT = "|".join(f"(?:{words})" for words, _, _ in UNITS)

NAMES: tuple[tuple[str, str], ...] = tuple(
    (rf"{_BEGINS}(?:{words}){_ENDS}", quantity)
    for words, quantity in (
        (r"first tokens?|first|ttft|首个?词元|第一个词元|首个|首字", "first_ms"),
        (rf"throughput|tokens?{_A_SECOND}|吞吐量?|每秒(?:的)?词元数?", "tokens_per_second"),
        (r"weights? (?:and|plus|with) (?:the )?cache|memory|ram|权重(?:加|和|与)缓存|内存|显存", "memory_mb"),
        (r"caches?|缓存", ""),  # of a cache alone nothing is measured
        (r"sizes?|disk|weights?|models?|体积|大小|权重|模型", "size_mb"),
        (r"loss|损失", "loss_nats"),
        (r"latency|tpot|tokens?|延迟|时延|(?:每个?)?词元", "token_ms"),
    )
)  # fmt: skip

# 1,500 and 1500, 0.46 and 0,46, .5, 2e3. Not "-5", not the 4 of "GPT4", not the 2 of "1.2.3".
NUMBER = r"(?<![0-9a-z_.,+\-−])((?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?|\.\d+)(?:e[+-]?\d+)?)"
AMOUNT = re.compile(rf"{NUMBER}\s*({UNIT})?(?![a-z0-9_%％]|[.,]\d)", re.IGNORECASE | re.ASCII)
NAMED_UNIT = re.compile(rf"[(（]\s*({UNIT})\s*[)）]", re.IGNORECASE)  # "weights (MB) < 2"


def number_of(text: str) -> float:
    """>>> number_of("1,500"), number_of("0,46"), number_of(".5")
    (1500.0, 0.46, 0.5)
    """
    thousands = re.fullmatch(
        r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?(?:e[+-]?\d+)?", text, re.IGNORECASE
    )
    return float(text.replace(",", "" if thousands else "."))


def unit_of(word: str | None) -> tuple[str, float]:
    """The quantity that a unit speaks of, and its size; ("", 1) for none."""
    for words, quantity, size in UNITS if word else ():
        if re.fullmatch(words, word.strip(), re.IGNORECASE):
            return quantity, size
    return "", 1.0
