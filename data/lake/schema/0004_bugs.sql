-- The bug feed: the bugs of the product from the tracker, and the test cases that each of them names.

CREATE TABLE bugs (              -- one row per bug of a feed; one that left the feed is kept as not active
    bug VARCHAR,                 -- its id in the tracker, such as PROJ-123
    type VARCHAR,                -- its group in the feed, such as PROJ
    url VARCHAR,                 -- in the tracker
    status VARCHAR,              -- in the tracker; NULL if the feed gives none
    open BOOLEAN,                -- whether the status is not one of those that mean closed
    summary VARCHAR,
    priority VARCHAR,            -- in the tracker
    assignee VARCHAR,
    component VARCHAR,
    resolution VARCHAR,          -- in the tracker; NULL while there is none
    versions VARCHAR,            -- affected versions, separated by commas
    labels VARCHAR,              -- JSON list
    active BOOLEAN,              -- whether it is in the newest feed
    first_seen TIMESTAMP,        -- when a feed first contained it
    updated_at TIMESTAMP         -- when it last changed
);

CREATE TABLE bug_cases (         -- one row per test case that a bug names
    bug VARCHAR,
    case_id VARCHAR              -- test_metadata.case_id or testrail_id
);
