"""The steps from version to version, one file each, numbered. They go forward only."""
