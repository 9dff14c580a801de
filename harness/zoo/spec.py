"""What a network of the zoo is: its name, its parameters with their limits, and a choice of values for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from harness.errors import BadInputError
from harness.records import Record
from harness.zoo.training import Training

Value = int | float | str
Values = Mapping[str, Any]


class Parameter(Record, frozen=True, kw_only=True):
    """A number or a choice that a network is built with.

    ``minimum`` and ``maximum`` are inclusive and belong to numbers, ``choices`` belong to a choice.
    """

    name: str
    default: Value
    kind: Literal["int", "float", "choice"]
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The values it takes, in words."""
        if self.kind == "choice":
            return " or ".join(self.choices)
        kind = "a whole number" if self.kind == "int" else "a number"
        return f"{kind} from {self.minimum:g} to {self.maximum:g}"

    def normalised(self, value: object) -> Value | None:
        """The value in this parameter's own type, also from text; None where it is not allowed."""
        if self.kind == "choice":
            return value if isinstance(value, str) and value in self.choices else None
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        assert self.minimum is not None and self.maximum is not None, f"{self.name} is a number"
        if not self.minimum <= number <= self.maximum:  # false for NaN, too
            return None
        if self.kind == "float":
            return number
        return int(number) if number.is_integer() else None


class Network(Record, frozen=True, kw_only=True):
    """An architecture that the zoo can build.

    ``source`` says where it was published. ``dataset`` names the data of :mod:`harness.zoo.data` that it can be trained
    on; where it is None, ``untrainable`` says why. ``per_channel_dense`` false gives int8 weights of a dense layer one
    scale, for networks that were measured so. ``input_shape`` gives the shape without the batch, and
    ``build(keras, values, batch)`` the Keras model.
    """

    name: str
    title: str
    source: str
    parameters: tuple[Parameter, ...]
    input_shape: Callable[[Values], tuple[int, ...]]
    build: Callable[[Any, Values, int | None], Any]
    dataset: str | None = None
    untrainable: str | None = None
    per_channel_dense: bool = True
    training: Training = Training()


class Spec(Record, frozen=True):
    """A network with a value for each of its parameters, in the network's order: two equal ones are the same network.

    Made by :func:`harness.zoo.networks.parse` or :func:`harness.zoo.networks.spec`, which check it.
    """

    network: str
    parameters: tuple[tuple[str, Value], ...]

    @property
    def values(self) -> dict[str, Value]:
        """The parameters by name."""
        return dict(self.parameters)

    @property
    def label(self) -> str:
        """As it is written on the command line, "conv:channels=8,kernel=3": only what differs from the default."""
        from harness.zoo.networks import NETWORKS  # the registry holds what this module declares

        defaults = {parameter.name: parameter.default for parameter in NETWORKS[self.network].parameters}
        changed = [f"{name}={text(value)}" for name, value in self.parameters if value != defaults[name]]
        return f"{self.network}:{','.join(changed)}" if changed else self.network


def text(value: Value) -> str:
    """A value as it is written, the shortest that is read back as the same: 1 and 0.25, not 1.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def complete(network: Network, values: Mapping[str, object]) -> Spec:
    """The network with these values, and the defaults of the others.

    Raises:
        BadInputError: a parameter that the network has not, or a value that is not allowed.
    """
    known = {parameter.name: parameter for parameter in network.parameters}
    for name in values:
        if name not in known:
            raise BadInputError(
                f"{network.name} has no parameter {name!r}",
                f"it has {', '.join(known)}" if known else "it has none",
            )
    found: list[tuple[str, Value]] = []
    for name, parameter in known.items():
        value = parameter.normalised(values.get(name, parameter.default))
        if value is None:
            raise BadInputError(
                f"{name} of {network.name} is {values[name]!r}, not {parameter.allowed}", f"{name}: {parameter.help}"
            )
        found.append((name, value))
    return Spec(network=network.name, parameters=tuple(found))
