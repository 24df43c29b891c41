"""Published builds in open formats of the field: what other tools read."""
