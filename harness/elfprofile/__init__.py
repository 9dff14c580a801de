"""Profiles of firmware that the harness did not build: which functions ran, how often, and what each call took."""
