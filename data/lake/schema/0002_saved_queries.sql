-- The saved queries of the SQL console.

CREATE TABLE saved_queries (     -- one row per saved query; names are unique
    query BIGINT,                -- id: a hash of the name
    name VARCHAR,
    sql VARCHAR,
    author VARCHAR,              -- NULL if not given
    saved_at TIMESTAMP
);
