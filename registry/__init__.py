"""The bottom room: settings, the configured systems and the contracts. Imports nothing of ours."""
