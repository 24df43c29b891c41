"""Great Expectations: is what the systems said, and what we made of it, fit to act on?"""
