"""A small int8 network for tests of the gate: its middle layer can be made wider, its file larger. And rules."""

from __future__ import annotations

import random

from tests.unit.model_writer import M, Op, T

# Of a policy: what every gate of these tests judges.
RULES = """\
[[rules]]
metric = "output_equal"
unit = "bool"
incomparable = "suppress"
[[rules]]
metric = "instructions"
unit = "instructions"
allowed_percent = 1
[[rules]]
metric = "layers"
unit = "instructions"
allowed_percent = 1
[[rules]]
metric = "flash"
unit = "B"
allowed = 512
[[rules]]
metric = "arena"
unit = "B"
"""


def network(channels: int = 8, seed: int = 1, ballast: int = 0, size: int = 16) -> M:
    """Three convolutions: 3x3 into 8 channels, 1x1 into ``channels``, 1x1 into 4; ``ballast`` bytes describe it."""
    source = random.Random(seed)
    tensors = [T((1, size, size, 1), scales=[0.05], zero_points=[3], name="image")]
    operators = []
    before = 1
    for name, width, filter_size in (("first", 8, 3), ("middle", channels, 1), ("last", 4, 1)):
        read = len(tensors) - 1 if len(tensors) > 1 else 0
        count = width * filter_size * filter_size * before
        tensors += [
            T(
                (width, filter_size, filter_size, before),
                data=[source.randint(-127, 127) for _ in range(count)],
                scales=[0.01] * width,
                zero_points=[0] * width,
                name=f"{name}/weights",
            ),
            T(
                (width,),
                "int32",
                data=[source.randint(-500, 500) for _ in range(width)],
                scales=[0.0005] * width,
                zero_points=[0] * width,
                name=f"{name}/bias",
            ),
            T((1, size, size, width), scales=[0.2], zero_points=[-5], name=name),
        ]
        options = {"padding": "SAME", "stride_w": 1, "stride_h": 1}
        operators.append(Op("CONV_2D", [read, len(tensors) - 3, len(tensors) - 2], [len(tensors) - 1], options, 3))
        before = width
    return M(tensors, operators, outputs=(len(tensors) - 1,), description="x" * ballast)
