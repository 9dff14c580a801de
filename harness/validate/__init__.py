"""Validation: estimates beside every public measurement that the project ships, as a table and as a page."""
