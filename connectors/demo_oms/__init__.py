"""The pretend OMS: bearer token, opaque cursors, ISO times in UTC, ETags."""
