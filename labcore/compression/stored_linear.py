"""One linear map in the form in which it is stored, and the product taken from that form.

Nothing here is a rounded matrix kept in fp32: the codes are what is held in memory, and whatever has to be
done to multiply by them is done at every call and so is timed. Inputs and outputs are fp32 throughout; a
kernel that works in bf16 has the conversion on its bill.

`ours-*` unpack into a matrix, then multiply. `torch-*` are kernels that are part of torch and read the codes
as they multiply. `bnb-*` are bitsandbytes' layers, `ao-*` torchao's, where it is installed.

Axes: N rows of the input, O outputs, I inputs.
"""

import importlib.util
import logging
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore.compression.rounding import GridConfig, Quantised, round_to_nearest
from labcore.errors import LabInputError

GROUP = 32
OURS_4 = GridConfig(4, symmetric=False, granularity="group", group_size=GROUP)
OURS_8 = GridConfig(8, granularity="row")


def check_multiples(weight: Tensor, outputs: int, inputs: int) -> None:
    """What torch's kernels need and the one for int8 does not check: it computes nonsense, or crashes."""
    if weight.shape[0] % outputs or weight.shape[1] % inputs:
        shape = tuple(weight.shape)
        raise LabInputError("form", shape, "kernel_multiples", outputs=outputs, inputs=inputs)


class Ours4(nn.Module):
    """Two codes to a byte, a half-precision scale and a zero point for every 32 weights."""

    def __init__(self, weight: Tensor):
        super().__init__()
        stored = round_to_nearest(weight, OURS_4)
        self.shape = weight.shape
        codes = stored.codes.reshape(-1, 2)
        self.register_buffer("packed", codes[:, 0] << 4 | codes[:, 1])  # (O·I / 2,)
        self.register_buffer("scale", stored.grid.scale.half())  # (O·I / 32, 1)
        self.register_buffer("zero", stored.grid.zero.to(torch.uint8))

    def weight(self) -> Tensor:
        """-> (O, I) fp32"""
        codes = torch.stack([self.packed >> 4, self.packed & 15], dim=1).reshape(-1, GROUP)
        return ((codes.float() - self.zero) * self.scale.float()).reshape(self.shape)

    def forward(self, x: Tensor) -> Tensor:  # (…, I) -> (…, O)
        return F.linear(x, self.weight())


class Ours8(nn.Module):
    """A byte for each code, one scale for each row."""

    def __init__(self, weight: Tensor):
        super().__init__()
        stored = round_to_nearest(weight, OURS_8)
        self.register_buffer("codes", stored.codes)  # (O, I) int8
        self.register_buffer("scale", stored.grid.scale.half())  # (O, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.codes.float() * self.scale.float())


class BFloat16(nn.Module):
    def __init__(self, weight: Tensor):
        super().__init__()
        self.register_buffer("weight", weight.bfloat16())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.bfloat16(), self.weight).float()


class Torch8(nn.Module):
    """torch's int8 kernel for weights alone: codes become bf16 in the processor's registers."""

    def __init__(self, weight: Tensor):
        super().__init__()
        check_multiples(weight, outputs=1, inputs=16)
        stored = round_to_nearest(weight, OURS_8)
        self.register_buffer("codes", stored.codes)
        self.register_buffer("scale", stored.grid.scale[:, 0].bfloat16())

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, x.shape[-1]).bfloat16()
        y = torch._weight_int8pack_mm(flat, self.codes, self.scale)
        return y.float().reshape(*x.shape[:-1], -1)


class Torch4(nn.Module):
    """torch's int4 kernel for weights alone, groups of 32, scale and zero point in bf16."""

    def __init__(self, weight: Tensor):
        super().__init__()
        check_multiples(weight, outputs=16, inputs=GROUP)
        stored: Quantised = round_to_nearest(weight, OURS_4)
        scale, zero = (
            part.reshape(len(weight), -1) for part in (stored.grid.scale, stored.grid.zero)
        )
        # The kernel's level is (code − 8) · scale + middle.
        both = torch.stack([scale, (8 - zero) * scale], dim=-1).transpose(0, 1)
        self.register_buffer(
            "packed", torch.ops.aten._convert_weight_to_int4pack_for_cpu(stored.codes.int(), 1)
        )
        self.register_buffer("scales", both.contiguous().bfloat16())  # (I / 32, O, 2)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, x.shape[-1]).bfloat16()
        y = torch.ops.aten._weight_int4pack_mm_for_cpu(flat, self.packed, GROUP, self.scales)
        return y.float().reshape(*x.shape[:-1], -1)


class TorchDynamic8(nn.Module):
    """torch's dynamic int8: the inputs are rounded as they come, and the product is one of whole numbers."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.outputs, self.inputs = weight.shape
        scale = weight.abs().amax(dim=1).clamp(min=1e-8) / 127
        zeros = torch.zeros(len(weight), dtype=torch.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces that these names will move to torchao
            codes = torch.quantize_per_channel(weight, scale, zeros, 0, torch.qint8)
            self.packed = torch.ops.quantized.linear_prepack(codes, None)

    @property
    def stored_bytes(self) -> int:
        return self.outputs * self.inputs + 4 * self.outputs

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.quantized.linear_dynamic(x, self.packed)


def bnb_nf4(weight: Tensor) -> nn.Module:
    import bitsandbytes as bnb

    linear = bnb.nn.Linear4bit(
        weight.shape[1], weight.shape[0], bias=False, quant_type="nf4", compute_dtype=torch.float32
    )
    linear.weight = bnb.nn.Params4bit(weight.clone(), requires_grad=False, quant_type="nf4")
    return linear.to("cpu")


def bnb_int8(weight: Tensor) -> nn.Module:
    import bitsandbytes as bnb

    linear = bnb.nn.Linear8bitLt(
        weight.shape[1], weight.shape[0], bias=False, has_fp16_weights=False, threshold=6.0
    )
    linear.weight = bnb.nn.Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
    return linear.to("cpu")


def whole(weight: Tensor) -> nn.Module:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    linear.weight = nn.Parameter(weight.clone(), requires_grad=False)
    return linear


def torchao_int8(weight: Tensor, dynamic: bool = False) -> nn.Module:
    logging.getLogger("torchao").setLevel(logging.ERROR)
    from torchao import quantization as ao

    holder = nn.Sequential(whole(weight))
    kind = ao.Int8DynamicActivationInt8WeightConfig if dynamic else ao.Int8WeightOnlyConfig
    ao.quantize_(holder, kind())
    return holder[0]


FORMS: dict[str, Callable[[Tensor], nn.Module]] = {
    "fp32": whole,
    "bf16": BFloat16,
    "ours-8": Ours8,
    "ours-4": Ours4,
    "torch-8": Torch8,
    "torch-4": Torch4,
    "torch-dynamic": TorchDynamic8,
    "bnb-8": bnb_int8,
    "bnb-nf4": bnb_nf4,
    "ao-8": torchao_int8,
    "ao-dynamic": lambda weight: torchao_int8(weight, dynamic=True),
}


def available() -> tuple[str, ...]:
    """The forms that can be made on this machine."""
    ao = importlib.util.find_spec("torchao") is not None
    return tuple(name for name in FORMS if ao or not name.startswith("ao-"))


def bytes_of(module: nn.Module) -> int:
    """All that the module holds on to: codes, scales, zero points."""
    if isinstance(module, TorchDynamic8):
        return module.stored_bytes
    tensors = [tensor.data for tensor in (*module.parameters(), *module.buffers())]
    for parameter in module.parameters():  # bitsandbytes keeps scales beside the weight
        state = getattr(parameter, "quant_state", None)
        for nested in (state, getattr(state, "state2", None)):
            tensors += [] if nested is None else [nested.absmax, nested.code]
    scales = getattr(getattr(module, "state", None), "SCB", None)  # there since the first call
    return sum(_bytes(tensor) for tensor in [*tensors, *([] if scales is None else [scales])])


def _bytes(tensor: Tensor) -> int:
    if tensor.layout == torch.sparse_csr:
        return sum(
            _bytes(part) for part in (tensor.values(), tensor.col_indices(), tensor.crow_indices())
        )
    parts = getattr(tensor, "__tensor_flatten__", None)
    if parts is None or type(tensor) is Tensor:
        return tensor.numel() * tensor.element_size()
    return sum(_bytes(getattr(tensor, name)) for name in parts()[0])
