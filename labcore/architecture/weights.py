"""A model's own weights as matrices to look at, with rows and columns named where they mean something.

The names are those of the state dict, which `labcore.model.counting` counts. A linear map is stored
(out, in): it takes a row vector x to x·Wᵀ, so a row of the matrix is what one output channel reads.

Axes: V vocabulary, D hidden_size; other axes are channels without names.
"""

from labcore.architecture.dataflow import Matrix
from labcore.errors import LabInputError
from labcore.zoo.cards import LoadedModel


def weight_names(loaded: LoadedModel) -> tuple[str, ...]:
    """Every weight tensor of the model; a tied one stands under the name that owns its numbers."""
    return tuple(name for name, _ in loaded.model.named_parameters())


def weight_matrix(
    loaded: LoadedModel, name: str, rows: slice = slice(None), columns: slice = slice(None)
) -> Matrix:
    """One weight tensor, or a window of it; a vector (a bias, a norm's gain) is one row.

    Rows of the vocabulary carry their tokens, other rows and columns their number.
    Raises LabInputError("name", …, "known_name") for a name that the model does not have.
    """
    weights = dict(loaded.model.named_parameters())
    if name not in weights:
        raise LabInputError("name", name, "known_name")
    tensor = weights[name].detach()
    values = (tensor if tensor.ndim == 2 else tensor[None])[rows, columns]
    ids = range(tensor.shape[0] if tensor.ndim == 2 else 1)[rows]
    of_tokens = tensor.ndim == 2 and len(tensor) == loaded.model.config.vocab_size
    labels = (loaded.tokenizer.label(i) if of_tokens else str(i) for i in ids)
    return Matrix(name, values.numpy(), tuple(labels), None)
