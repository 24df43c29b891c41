"""`python -m orchestration` is the command `tallyman`."""

from orchestration.cli import main

main()
