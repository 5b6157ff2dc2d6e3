"""What things are: ids, the filter of a question, the measures."""
