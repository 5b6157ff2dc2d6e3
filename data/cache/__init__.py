"""What a process keeps in memory so that a question need not read it again."""
