"""The page of the admin port: an order as systems believe it, beside the truth; breaking it."""
