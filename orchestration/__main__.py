"""`python -m orchestration` is the command `tallyman`."""

from orchestration.cli import main

# Processes of `tallyman evaluate` import this module again.
if __name__ == "__main__":
    main()
