-- The SQL console keeps what its users want to ask again.

CREATE TABLE saved_queries (     -- one row per query kept in the SQL console; a name is unique
    query BIGINT,                -- id: a hash of the name
    name VARCHAR,
    sql VARCHAR,
    author VARCHAR,              -- NULL where nobody said
    saved_at TIMESTAMP
);
