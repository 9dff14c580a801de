"""The cost model: what a board would need for the blocks that an emulator counted. Estimates, never measurements."""
