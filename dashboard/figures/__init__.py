"""Plotly figures, as plain dicts, from answers of the store.

Dicts, because validating a figure object costs a hundred times the work (measured: 287 ms against 2.7 ms for 100,000
points). Colours are the style sheet's tokens (`var(--pass)`), which assets/charts.js resolves for the theme that is on;
times are UTC, which it turns into the reader's.
"""
