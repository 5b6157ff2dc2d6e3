"""The back-test, `regtracker backtest`: how often the verdicts are right. Nothing outside this package imports it.

`detectors` are replayed (`replay`) over the stored `history`, whose `known_faults` come from the simulator or from
hindsight; `simulated_histories` measures the statistics on synthetic ones. `report` makes the
tables of docs/accuracy.md.
"""
