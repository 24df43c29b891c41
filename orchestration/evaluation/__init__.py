"""`tallyman evaluate`: many pretend worlds, each run to its end and judged by its own truth."""
