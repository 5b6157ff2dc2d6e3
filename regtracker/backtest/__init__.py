"""How often the verdicts are right: detectors replayed over a history whose truth is known, or simulated."""
