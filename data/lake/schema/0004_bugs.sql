-- The bug feed: what the tracker says of the product's bugs, and which test cases each of them is about.

CREATE TABLE bugs (              -- one row per bug of a feed; one that has left the feed stays, and is not active
    bug VARCHAR,                 -- its id in the tracker, such as PROJ-123
    type VARCHAR,                -- the group of the feed that it stands in, such as PROJ
    url VARCHAR,                 -- in the tracker
    status VARCHAR,              -- the tracker's word; NULL where the feed tells none
    open BOOLEAN,                -- whether that word is none of those that mean closed
    summary VARCHAR,
    priority VARCHAR,            -- the tracker's word
    assignee VARCHAR,
    component VARCHAR,
    resolution VARCHAR,          -- the tracker's word; NULL while there is none
    versions VARCHAR,            -- affected ones, separated by commas
    labels VARCHAR,              -- JSON list
    active BOOLEAN,              -- stands in the newest feed
    first_seen TIMESTAMP,        -- when a feed held it first
    updated_at TIMESTAMP         -- when anything of it changed last
);

CREATE TABLE bug_cases (         -- one row per test case that a bug names
    bug VARCHAR,
    case_id VARCHAR              -- test_metadata.case_id or testrail_id
);
