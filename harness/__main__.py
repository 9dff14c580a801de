"""``python -m harness``: the command without its script."""

from harness.cli import main

main()
