"""Three guards on one red-team set: what they stop, what they stop by mistake, and what a disguise does.

Two exams. *Known*: forms and words as in training, other sentences. *New*: forms, frames and words that no
training sentence held. Each guard reads every text twice, as it stands and with all that can be undone
undone (`undo.readings`). The line is drawn on harmless sentences set apart ("tune"), never on an exam.

Axes: N texts of a group; groups are attacks on harmful requests and kinds of harmless ones.
"""

import random
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices, check_limits
from labcore.events import drain
from labcore.guard import classifiers, rates, redteam
from labcore.guard.classifiers import GUARDS
from labcore.guard.disguise import disguise
from labcore.guard.redteam import ATTACKS, BENIGN, CATEGORIES, LANGUAGES

EXAMS = {"known": "train", "new": "exam"}
LEARNED = {"category": 100, "everyday": 150, "story": 150, "look_alike": 200}
JUDGED, TUNED = {"category": 20, "benign": 40}, 40
KEYWORD_LINE = 1.0  # a list has one line only: a phrase occurs, or none does
LOOK_EVERY = 10


@lab_config
class StudyConfig:
    language: str = "en"
    look_alikes: float = 1.0  # share of the 200 harmless look-alikes that training sees
    disguised: bool = False  # train on disguised copies, too
    steps: int = 250  # of the Transformer
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"language": LANGUAGES})
        check_limits(self, {"look_alikes": (0.0, 1.0), "steps": (1, 2000), "seed": (0, 2**31)})


@dataclass(frozen=True, slots=True, eq=False)
class Learning:
    step: int
    loss_nats: float
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Scores by "guard reading exam group", reading "as_is" or "undone"; the exam "tune" draws the line."""

    scores: dict[str, np.ndarray]  # (N,) each
    categories: np.ndarray  # (N,) which of CATEGORIES each harmful request belongs to
    steps: np.ndarray
    loss_nats: np.ndarray
    weights: int  # of the Transformer
    seconds: float
    config: StudyConfig


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    threshold: float
    recall: dict[str, float]  # by attack
    by_category: dict[str, float]  # plain requests
    alarms: dict[str, float]  # by kind of harmless text
    area: float  # under the ROC curve: plain requests against all harmless ones


def key(guard: str, undone: bool, exam: str, group: str) -> str:
    return " ".join((guard, "undone" if undone else "as_is", exam, group))


def training_texts(config: StudyConfig) -> tuple[list[str], np.ndarray]:
    """What a guard learns from, with 1 for harmful."""
    rng = random.Random(config.seed)
    counts = {kind: LEARNED.get(kind, LEARNED["category"]) for kind in redteam.KINDS}
    counts["look_alike"] = round(counts["look_alike"] * config.look_alikes)
    every = [r for kind, count in counts.items() for r in redteam.draw(kind, "train", count, rng)]
    texts = [request.said(config.language) for request in every]
    harmful = np.array([float(request.harmful) for request in every])
    if config.disguised:
        names = [n for n in ATTACKS[config.language] if n not in ("plain", "language")]
        texts += [disguise(text, rng.choice(names)) for text in texts]
        harmful = np.tile(harmful, 2)
    return texts, harmful


def exam_texts(
    config: StudyConfig, split: str, salt: int
) -> tuple[dict[str, list[str]], np.ndarray]:
    """Groups of texts of one exam, and the category of each harmful request."""
    rng = random.Random(1_000_003 * (config.seed + 1) + salt)
    asked = [
        request for kind in CATEGORIES for request in redteam.draw(kind, split, JUDGED["category"], rng)
    ]  # fmt: skip
    groups = {
        attack: [redteam.attacked(request, attack, config.language) for request in asked]
        for attack in ATTACKS[config.language]
    } | {
        kind: [r.said(config.language) for r in redteam.draw(kind, split, JUDGED["benign"], rng)]
        for kind in BENIGN
    }  # fmt: skip
    return groups, np.array([CATEGORIES.index(request.kind) for request in asked])


def learn_guards(config: StudyConfig) -> Generator[Learning, None, Study]:
    """Train the two guards that learn, then let all three read every exam twice."""
    started, learned = time.perf_counter(), []
    texts, harmful = training_texts(config)
    weights = classifiers.fit_logistic(classifiers.ngram_features(texts), harmful)
    training = classifiers.fit_transformer(texts, harmful, config.steps, config.seed)
    while True:
        try:
            loss = next(training)
        except StopIteration as stop:
            transformer = stop.value
            break
        learned.append(loss)
        if len(learned) % LOOK_EVERY == 0 or len(learned) == config.steps:
            mean = float(np.mean(learned[-LOOK_EVERY:]))
            yield Learning(len(learned), mean, 0.9 * len(learned) / config.steps)
    scorers = {
        "keywords": lambda some: [classifiers.keyword_score(text) for text in some],
        "ngrams": lambda some: classifiers.logistic_scores(some, weights),
        "transformer": transformer.scores,
    }
    scores = {}
    rng = random.Random(config.seed + 7)
    tuned = [
        r.said(config.language) for kind in BENIGN for r in redteam.draw(kind, "tune", TUNED, rng)
    ]
    exams = {name: exam_texts(config, split, n) for n, (name, split) in enumerate(EXAMS.items())}
    for guard, scorer in scorers.items():
        for undone in (False, True):

            def judged(some: Sequence[str], scorer=scorer, undone=undone) -> np.ndarray:
                return classifiers.worst_reading(some, scorer, undone).astype(np.float32)

            scores[key(guard, undone, "tune", "harmless")] = judged(tuned)
            for exam, (groups, _) in exams.items():
                for group, some in groups.items():
                    scores[key(guard, undone, exam, group)] = judged(some)
    looks = np.arange(LOOK_EVERY, len(learned) + 1, LOOK_EVERY)
    return Study(
        scores, exams["new"][1], looks,
        np.array([np.mean(learned[at - LOOK_EVERY : at]) for at in looks]),
        sum(weight.numel() for weight in transformer.parameters()),
        time.perf_counter() - started, config,
    )  # fmt: skip


def judge(study: Study, guard: str, undone: bool, exam: str, alarms: float) -> Judged:
    """Draw the line so that at most a share `alarms` of the tuning texts is stopped, and hold an exam."""
    if guard not in GUARDS or exam not in EXAMS:
        raise LabInputError("guard", guard, "known_choice", allowed=GUARDS)
    harmless = study.scores[key(guard, undone, "tune", "harmless")]
    line = KEYWORD_LINE if guard == "keywords" else rates.threshold_for(harmless, alarms)

    def stopped(group: str) -> np.ndarray:
        return study.scores[key(guard, undone, exam, group)] >= line

    plain, kinds = stopped("plain"), study.categories
    return Judged(
        line,
        {attack: float(stopped(attack).mean()) for attack in ATTACKS[study.config.language]},
        {name: float(plain[kinds == n].mean()) for n, name in enumerate(CATEGORIES)},
        {kind: float(stopped(kind).mean()) for kind in BENIGN},
        rates.area(*plain_and_harmless(study, guard, undone, exam)),
    )


def plain_and_harmless(
    study: Study, guard: str, undone: bool, exam: str
) -> tuple[np.ndarray, np.ndarray]:
    """The two lists of scores that a ROC curve compares."""
    return study.scores[key(guard, undone, exam, "plain")], np.concatenate(
        [study.scores[key(guard, undone, exam, kind)] for kind in BENIGN]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Seeds:
    studies: list[Study]


def several(config: StudyConfig, seeds: Sequence[int] = (0, 1, 2)) -> Seeds:
    return Seeds([drain(learn_guards(replace(config, seed=seed))) for seed in seeds])
