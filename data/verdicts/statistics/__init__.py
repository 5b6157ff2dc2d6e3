"""Pure statistics behind the verdicts: numbers in, numbers out; no SQL, no I/O."""
