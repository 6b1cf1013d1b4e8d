"""A web page of one's own for an index: look through it, and say who is the same."""
