"""A pretend distributor: four systems over HTTP, one history behind them, known faults in it."""
