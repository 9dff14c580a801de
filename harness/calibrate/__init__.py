"""Calibration: the cost model's features fitted to measured cycles of a board, with errors on networks left out."""
