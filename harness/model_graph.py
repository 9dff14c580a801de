"""Checks of the graph as a whole: who writes and who reads each tensor, and when."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import BadInputError
from harness.operators_node import elements, label
from harness.records import Tensor

# Name, inputs, outputs.
Edges = tuple[str, tuple[int, ...], tuple[int, ...]]

_DAMAGED = "the file is damaged: copy or convert it again"
_NO_READER = "leave out what nobody uses: TFLM of July 2020 has no lifetime for it"


def check(
    tensors: tuple[Tensor, ...],
    inputs: Sequence[int],
    outputs: Sequence[int],
    operators: Sequence[Edges],
    unread: bool = False,
) -> None:
    """Check that each tensor is written once, before it is read, and that somebody reads it, but for ``unread``.

    Args:
        tensors: all tensors; ``inputs`` and ``outputs`` are indices of the model's own.
        operators: name, inputs (-1: absent) and outputs of each operator, in the order of execution.

    Raises:
        BadInputError: an index out of range, a tensor written twice, never, too late, or for nobody.
    """
    count = len(tensors)
    for what, indices in (("inputs", inputs), ("outputs", outputs)):
        if not indices:
            raise BadInputError(f"the model has no {what}")
        for index in indices:
            if not 0 <= index < count:
                raise BadInputError(f"the model's {what} name tensor {index} of {count}", _DAMAGED)
    if not operators:
        raise BadInputError("the model has no operators")

    written: dict[int, str] = {}
    for index in inputs:
        tensor = tensors[index]
        if tensor.is_constant or tensor.is_variable:
            kind = "constant" if tensor.is_constant else "variable"
            raise BadInputError(f"{label(tensor)} is an input of the model, but {kind}")
        if index in written:
            raise BadInputError(f"{label(tensor)} is an input of the model twice")
        written[index] = "the model's input"
    read: set[int] = set()
    for number, (op, its_inputs, its_outputs) in enumerate(operators):
        name = f"operator {number} ({op})"
        for index in its_inputs:
            if index == -1:
                continue
            if not -1 <= index < count:
                raise BadInputError(f"{name}: input tensor {index} of {count}", _DAMAGED)
            _check_read(name, op, tensors[index], written)
            read.add(index)
        for index in its_outputs:
            if not 0 <= index < count:
                raise BadInputError(f"{name}: output tensor {index} of {count}", _DAMAGED)
            _check_written(name, tensors[index], written)
            written[index] = name

    for index in outputs:
        if not written.get(index, "").startswith("operator"):
            raise BadInputError(f"{label(tensors[index])} is an output of the model, but no operator writes it")
        read.add(index)
    for tensor in tensors:
        if tensor.is_constant and tensor.is_variable:
            raise BadInputError(f"{label(tensor)} is constant and variable at once", _DAMAGED)
        if not unread and tensor.index not in read and not tensor.is_constant and not tensor.is_variable:
            writer = written.get(tensor.index)
            origin = f"comes from {writer}" if writer else "comes from nowhere"
            raise BadInputError(f"{label(tensor)} {origin} and nobody reads it (invalid lifetime)", _NO_READER)


def _check_read(name: str, op: str, tensor: Tensor, written: dict[int, str]) -> None:
    if elements(tensor.shape) == 0:
        # The shape of a scalar, which the kernel of RESHAPE does not read.
        if op != "RESHAPE" or tensor.type != "int32":
            raise BadInputError(f"{name}: {label(tensor)} is empty")
    elif not (tensor.is_constant or tensor.is_variable or tensor.index in written):
        raise BadInputError(f"{name}: reads {label(tensor)} before anything has written it", _DAMAGED)


def _check_written(name: str, tensor: Tensor, written: dict[int, str]) -> None:
    if tensor.is_constant or tensor.is_variable:
        kind = "constant" if tensor.is_constant else "variable"
        raise BadInputError(f"{name}: writes {label(tensor)}, which is {kind}")
    if elements(tensor.shape) == 0:
        raise BadInputError(f"{name}: {label(tensor)} is empty")
    if tensor.index in written:
        raise BadInputError(f"{name}: writes {label(tensor)}, which {written[tensor.index]} has written already")
