"""Writers: each replaces rows of the lake inside one transaction."""
