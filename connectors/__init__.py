"""The only code that speaks to a source system: one folder a product. See base.py for the protocol."""
