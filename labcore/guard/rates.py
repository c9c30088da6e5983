"""Where to draw the line: recall against false alarms.

Axes: N scores, K thresholds.
"""

import numpy as np

from labcore.errors import LabInputError


def roc(harmful: np.ndarray, harmless: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False alarms and recall at every threshold, strictest last.  -> (K,), (K,), (K,)

    A text is stopped if its score is at least the threshold; scores that tie are stopped together, so a
    guard that gives few different scores has few points.
    """
    _both(harmful, harmless)
    thresholds = np.append(np.unique(np.concatenate([harmful, harmless])), np.inf)
    alarms = (harmless[None] >= thresholds[:, None]).mean(axis=1)
    recall = (harmful[None] >= thresholds[:, None]).mean(axis=1)
    return thresholds, alarms, recall


def area(harmful: np.ndarray, harmless: np.ndarray) -> float:
    """The chance that a harmful text scores above a harmless one; a tie counts half.

    Worked by hand: [2, 1] against [1, 0]: three wins and one tie of four, 3.5 / 4 = 0.875.
    """
    _both(harmful, harmless)
    above = harmful[:, None] > harmless[None]
    level = harmful[:, None] == harmless[None]
    return float((above + level / 2).mean())


def threshold_for(harmless: np.ndarray, alarms: float) -> float:
    """The lowest threshold that stops at most this share of these harmless texts."""
    if not 0 <= alarms <= 1:
        raise LabInputError("alarms", alarms, "between", low=0, high=1)
    if not len(harmless) or np.isnan(harmless).any():
        raise LabInputError("harmless", len(harmless), "not_empty")
    for threshold in np.unique(harmless):
        if (harmless >= threshold).mean() <= alarms:
            return float(threshold)
    return float(np.nextafter(np.max(harmless), np.inf))


def _both(harmful: np.ndarray, harmless: np.ndarray) -> None:
    for name, scores in (("harmful", harmful), ("harmless", harmless)):
        if not len(scores) or np.isnan(scores).any():
            raise LabInputError(name, len(scores), "not_empty")
