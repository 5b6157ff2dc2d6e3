"""Commands of the data layer."""
