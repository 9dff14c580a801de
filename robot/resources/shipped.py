"""Variables for Robot: the network that the harness ships, wherever the package lies."""

from harness.demo import MODEL as _SHIPPED

MODEL = str(_SHIPPED)
