"""The regression gate: a policy, committed baselines and results in, one verdict out."""
