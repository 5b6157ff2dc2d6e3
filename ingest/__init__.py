"""Jenkins to rows: client, discovery, parsers, pipeline, scheduler, simulator."""
