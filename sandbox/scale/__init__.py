"""The same kinds of data by the million, for benchmarks: drawn in columns, written in blocks."""
