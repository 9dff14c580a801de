"""Networks that today's TensorFlow converts: those that the packaged TFLM must run exactly, those it must refuse.

``NETWORKS[name]()`` is the bytes of a .tflite file; ``REFUSED`` adds a fragment of the message that refuses it.
``C_LIBRARY`` names the float networks whose results depend on the C library's mathematics. Weights are random with
fixed seeds and scaled so that activations spread over their range. Converted files are cached for the user, keyed by
the sources that make them and by TensorFlow's version.
"""

from tests.networks import convolutions, floats, general, refused
from tests.networks.registry import C_LIBRARY, NETWORKS, REFUSED

__all__ = ["C_LIBRARY", "NETWORKS", "REFUSED", "convolutions", "floats", "general", "refused"]
