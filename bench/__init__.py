"""Measurements. Nothing of the product imports them."""
