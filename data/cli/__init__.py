"""Commands of the data layer, and what all commands share on a terminal."""
