"""The only code that speaks to a source system: one folder a product, protocol in base.py."""
