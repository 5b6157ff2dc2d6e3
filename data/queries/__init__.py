"""One function per question: each takes a store and a filter, and returns what a screen and the API show."""
