"""The tree of calls of a run of the harness' own firmware, layer by layer, and its deepest stack, frame by frame."""
