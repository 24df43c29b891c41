"""The pretend WMS: basic auth, numbered change feeds, epoch milliseconds of a wrong clock."""
