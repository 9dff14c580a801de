"""The networks of the zoo by name, and how one is written, checked and built.

On the command line a network is a name, or a name with parameters: ``lenet``, ``conv:channels=8,kernel=3``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from harness.errors import BadInputError
from harness.zoo import networks_heim, networks_layers, networks_small, networks_tiny
from harness.zoo.spec import Network, Parameter, Spec, complete

__all__ = ["NETWORKS", "Network", "Parameter", "Spec", "build", "input_shape", "parse", "spec"]

NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        *networks_heim.NETWORKS,
        *networks_tiny.NETWORKS,
        *networks_small.NETWORKS,
        *networks_layers.NETWORKS,
        *networks_heim.SWEEPS,
    )
}


def named(name: str) -> Network:
    """The network of that name.

    Raises:
        BadInputError: there is none; the hint names what is close to it.
    """
    if name not in NETWORKS:
        close = difflib.get_close_matches(name, NETWORKS, n=3) or list(NETWORKS)
        raise BadInputError(f"there is no network {name!r} in the zoo", f"it has {', '.join(close)}: harness zoo list")
    return NETWORKS[name]


def spec(name: str, values: Mapping[str, object] | None = None) -> Spec:
    """A network with some of its parameters set.

    Raises:
        BadInputError: an unknown network or parameter, or a value that is not allowed.
    """
    return complete(named(name), values or {})


def parse(text: str) -> Spec:
    """A network as it is written on the command line: ``name`` or ``name:parameter=value,parameter=value``.

    Raises:
        BadInputError: it is written otherwise; an unknown network or parameter, or a value that is not allowed.
    """
    name, colon, rest = text.strip().partition(":")
    network = named(name.strip())
    values: dict[str, object] = {}
    for part in rest.split(",") if colon else ():
        parameter, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not parameter or not value:
            example = network.parameters[0] if network.parameters else None
            raise BadInputError(
                f"{part!r} in {text!r} is no PARAMETER=VALUE",
                f"for example {name}:{example.name}={example.default}" if example else f"{name} has no parameters",
            )
        if parameter in values:
            raise BadInputError(f"{parameter} is given twice in {text!r}")
        values[parameter] = value
    return complete(network, values)


def input_shape(chosen: Spec) -> tuple[int, ...]:
    """The shape of the network's input without its batch."""
    return NETWORKS[chosen.network].input_shape(chosen.values)


def build(keras: Any, chosen: Spec, batch: int | None = 1) -> Any:
    """The Keras model, with random weights that the seed of :func:`harness.zoo.convert.begin` decides.

    Raises:
        BadInputError: the values do not go together, for example a kernel that is larger than its input.
    """
    try:
        return NETWORKS[chosen.network].build(keras, chosen.values, batch)
    except ValueError as error:  # what Keras says of layers without an output
        first = str(error).strip().splitlines()[0]
        raise BadInputError(
            f"{chosen.label} cannot be built: {first}", "choose a larger input or smaller layers"
        ) from error
