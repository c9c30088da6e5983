"""bertviz's three views of the same maps, for those who know the tool from elsewhere."""

from app.charts import bertviz_views
from app.figures import Figure
from app.labs.transformer.attention_place import Place
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import head_probes

TOKENS = {"head": 24, "model": 16, "neuron": 16}  # few enough to be read, and to stay light
THUMBNAIL_WEIGHTS = 10_000  # what the model view may hold: about 70 KB as text


def draw(page: LabPage, place: Place) -> None:
    tool = page.choice("tool", tuple(TOKENS), "head")
    heads = place.heads
    if tool == "neuron" and heads.kind == "cross":
        page.caption("tool.cross")
        return
    count = max(len(heads.queries.ids), len(heads.keys.ids))
    if count > TOKENS[tool]:
        page.caption("tool.cut", kept=TOKENS[tool], tokens=count)
    figure = {"head": head_view, "model": model_view, "neuron": neuron_view}[tool]
    page.figure(figure(page, place, TOKENS[tool]), COMPUTED, f"tool_{tool}")


def head_view(page: LabPage, place: Place, most: int) -> Figure:
    heads = place.heads
    return bertviz_views.head_view(
        heads.weights[place.layer : place.layer + 1, :, :most, :most],
        heads.queries.labels[:most],
        page.text,
        alt=page.text("alt.tool_head", layer=place.layer),
        keys=heads.keys.labels[:most],
        layers=[place.layer],
        heads=[place.head],
    )


def model_view(page: LabPage, place: Place, most: int) -> Figure:
    """As many layers from the chosen one on as are light enough."""
    heads = place.heads
    per_layer = heads.weights.shape[1] * most * most
    layers = range(place.layer, len(heads.weights))[: max(1, THUMBNAIL_WEIGHTS // per_layer)]
    return bertviz_views.model_view(
        heads.weights[layers.start : layers.stop, :, :most, :most],
        heads.queries.labels[:most],
        page.text,
        alt=page.text("alt.tool_model", first=layers[0], last=layers[-1]),
        keys=heads.keys.labels[:most],
        layers=list(layers),
    )


def neuron_view(page: LabPage, place: Place, most: int) -> Figure:
    """One layer's queries and keys, number by number."""
    heads = place.heads
    behind = page.run(head_probes.queries_and_keys, query_key_config(place))
    return bertviz_views.neuron_view(
        heads.weights[place.layer : place.layer + 1, :, :most, :most],
        behind.queries[None, :, :most],
        behind.keys[None, :, :most],
        heads.queries.labels[:most],
        page.text,
        alt=page.text("alt.tool_neuron", layer=place.layer),
        causal=heads.causal,
        layers=[place.layer],
    )


def query_key_config(place: Place) -> head_probes.QueryKeyConfig:
    """The same pass once more, for the numbers that a result does not keep."""
    kinds, kind = place.result.kinds, place.heads.kind
    ids = kinds["decoder" if "decoder" in kinds else kind].queries.ids
    context = kinds["encoder"].queries.ids if "encoder" in kinds else ()
    return head_probes.QueryKeyConfig(place.config.model, ids, context, kind, place.layer)
