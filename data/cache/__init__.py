"""What a process keeps in memory: answers, result arrays, copies of small tables, the index of Parquet files."""
