"""One linear map of which only the weights that are not zero are held, row by row (CSR).

Each of them needs its column beside it, so half of the weights take the room of all. The product is torch's
sparse one, which visits what is there and nothing else.

Axes: O outputs, I inputs, N weights left.
"""

from torch import Tensor, nn

from labcore.compression.matrix_forms import to_csr


class Csr(nn.Module):
    """Values (N,) in fp32, their columns (N,) and the beginnings of the rows (O + 1,) in int32."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.register_buffer("matrix", to_csr(weight))

    def forward(self, x: Tensor) -> Tensor:  # (…, I) -> (…, O)
        flat = x.reshape(-1, x.shape[-1])
        return (self.matrix @ flat.T).T.reshape(*x.shape[:-1], -1)
