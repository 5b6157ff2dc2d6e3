"""One function a question: each takes a store and a filter and answers what a screen and the API show."""
