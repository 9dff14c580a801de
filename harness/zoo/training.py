"""Trains networks of the zoo: fixed seeds, cosine decay, the weights of the last epoch."""

from __future__ import annotations

from harness.records import Record


class Training(Record, frozen=True, kw_only=True):
    """How a network is trained: Adam, cosine decay of the learning rate to 0, categorical cross-entropy.

    ``label_smoothing`` keeps the softmax from saturating at int8 resolution.
    """

    epochs: int = 20
    batch: int = 32
    learning_rate: float = 2e-3
    label_smoothing: float = 0.05
