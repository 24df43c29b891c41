"""The distributor as a discrete-event simulation: processes that share time, stock and people."""
