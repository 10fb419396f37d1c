"""Comparisons: the same measurement, several methods, one table; and the demonstration built from them."""
