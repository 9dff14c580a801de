"""The commands that search for the best network for a scenario, a module each."""

from harness.cli.optimize import baselines, explain, improve, replay, run, show  # noqa: F401  (each registers its command)
