"""Models to look into: bundled with the lab, published and fetched once, or any from a hub.

>>> from labcore import zoo
>>> zoo.real_names()
['smollm2-135m-instruct', 'minilm-l6']
"""

from labcore.zoo.cards import Card, LoadedModel
from labcore.zoo.hub import HubModel, describe_hub_model
from labcore.zoo.loading import bundled_names, is_at_hand, load, real_names, release_idle
from labcore.zoo.own import adopt

__all__ = [
    "Card",
    "HubModel",
    "LoadedModel",
    "adopt",
    "bundled_names",
    "describe_hub_model",
    "is_at_hand",
    "load",
    "real_names",
    "release_idle",
]
