-- The tables of the lake. Ids are 63-bit hashes of natural keys (data/ids.py); times are UTC; durations are seconds.
-- There are no keys or constraints: a writer replaces a build's rows inside one transaction (data/append.py).

CREATE TABLE releases (          -- one row per release line; settings of an administrator join here
    release VARCHAR,
    active BOOLEAN,
    first_seen TIMESTAMP
);

CREATE TABLE jobs (              -- one row per Jenkins job seen: the cheap change detector
    source VARCHAR,
    job VARCHAR,                 -- full name
    next_build INTEGER,          -- nextBuildNumber at the last sweep
    seen_at TIMESTAMP,
    missing INTEGER              -- sweeps in a row that did not find the job
);

CREATE TABLE runs (              -- one row per regression run: an orchestrating build and a release, or a build alone
    run BIGINT,
    source VARCHAR,
    job VARCHAR,
    number INTEGER,
    release VARCHAR,
    version VARCHAR,
    environment VARCHAR,
    started_at TIMESTAMP,
    duration_s DOUBLE,
    state VARCHAR,               -- running | final
    result VARCHAR,              -- Jenkins' own word; NULL while it runs
    display_name VARCHAR,
    url VARCHAR
);

CREATE TABLE run_builds (        -- many builds to many runs; build is NULL until it is ingested
    run BIGINT,
    source VARCHAR,
    job VARCHAR,
    number INTEGER,
    module VARCHAR,
    build BIGINT
);

CREATE TABLE builds (            -- one row per Jenkins build of a module job, or per import
    build BIGINT,
    source VARCHAR,
    job VARCHAR,
    number INTEGER,
    started_at TIMESTAMP,
    duration_s DOUBLE,
    state VARCHAR,               -- running | final
    result VARCHAR,
    release VARCHAR,
    version VARCHAR,
    environment VARCHAR,
    module VARCHAR,              -- the job's module: what executed; results.module is what owns
    display_name VARCHAR,
    url VARCHAR,
    agent VARCHAR,
    revision VARCHAR,            -- the commit that was built: two runs of one revision that disagree make a test flaky
    parameters VARCHAR,          -- JSON object
    causes VARCHAR,              -- JSON list
    artifacts INTEGER,
    declared_total INTEGER,      -- Jenkins' own counters, to compare with; NULL where it has none
    declared_failed INTEGER,
    declared_skipped INTEGER,
    total INTEGER,               -- final results, one per test and topology
    passed INTEGER,
    failed INTEGER,              -- includes errors
    errors INTEGER,
    skipped INTEGER,
    flags VARCHAR,               -- words joined by a blank; FLAGS in data/append.py tells what each means
    ingested_at TIMESTAMP
);

CREATE TABLE build_counts (      -- one row per build, owning module and topology: what every dashboard number is made of
    build BIGINT,
    release VARCHAR,
    started_at TIMESTAMP,
    module VARCHAR,
    topology VARCHAR,
    total INTEGER,
    passed INTEGER,
    failed INTEGER,
    errors INTEGER,
    skipped INTEGER,
    duration_s DOUBLE            -- summed over the final results
);

CREATE TABLE results (           -- one row per attempt of a test in a build on one topology
    release VARCHAR,
    started_at TIMESTAMP,        -- of the build: every window of runs carries its bound, or nothing is pruned
    build BIGINT,
    module VARCHAR,
    test BIGINT,
    topology VARCHAR,
    attempt INTEGER,
    is_final BOOLEAN,
    status VARCHAR,              -- failed | passed | skipped: in this alphabetical order, so that min() is the worst
    kind VARCHAR,                -- failure | error where failed
    duration_s FLOAT,
    host VARCHAR,
    position INTEGER,            -- order of execution within the report
    signature BIGINT             -- failure pattern; NULL where there is no text
);
ALTER TABLE results SET PARTITIONED BY (release, year(started_at), month(started_at));
ALTER TABLE results SET SORTED BY (module, test, started_at);

CREATE TABLE failures (          -- one row per failed attempt that left a text
    release VARCHAR,
    started_at TIMESTAMP,
    build BIGINT,
    module VARCHAR,
    test BIGINT,
    topology VARCHAR,
    attempt INTEGER,
    signature BIGINT,
    message VARCHAR,
    trace VARCHAR,
    output VARCHAR
);
ALTER TABLE failures SET PARTITIONED BY (release, year(started_at), month(started_at));
ALTER TABLE failures SET SORTED BY (module, test, started_at);

CREATE TABLE tests (             -- one row per test identity
    test BIGINT,
    file VARCHAR,
    class VARCHAR,
    name VARCHAR,
    base_name VARCHAR,           -- the name without its parameters
    module VARCHAR,              -- owning module at first sight
    first_seen TIMESTAMP
);
ALTER TABLE tests SET SORTED BY (module, test);

CREATE TABLE test_metadata (     -- overlay by base name; a row of a release wins over the global one (release is NULL)
    base_name VARCHAR,
    release VARCHAR,
    priority VARCHAR,
    case_id VARCHAR,
    testrail_id VARCHAR,
    component VARCHAR,
    owner VARCHAR,
    topology VARCHAR,
    state VARCHAR,
    removed BOOLEAN
);

CREATE TABLE signatures (        -- one row per failure pattern
    signature BIGINT,
    pattern VARCHAR,             -- also a LIKE pattern
    example VARCHAR,
    first_seen TIMESTAMP
);

CREATE TABLE commits (           -- one row per change in a build's change set
    build BIGINT,
    position INTEGER,
    revision VARCHAR,
    author VARCHAR,
    message VARCHAR,
    committed_at TIMESTAMP,
    url VARCHAR
);

CREATE TABLE warnings (          -- one row per remark of a parser about a raw file of a build
    build BIGINT,
    path VARCHAR,
    message VARCHAR
);

CREATE TABLE raw_files (         -- one row per raw input of a build: feeds `rebuild`
    build BIGINT,                -- or a run, whose orchestrating build is kept too; or a request's upload
    started_at TIMESTAMP,
    path VARCHAR,                -- within the build's artifacts; of a zip, the pattern that it was asked for with
    kind VARCHAR,                -- build (its API object) | junit | order | test_report | console ... | build_map
    encoding VARCHAR,            -- zstd | zip (several files, as they came)
    size BIGINT,                 -- bytes as they came
    content BLOB
);
ALTER TABLE raw_files SET PARTITIONED BY (year(started_at), month(started_at));

CREATE TABLE ledger (            -- one row per discovered build that is not done: open work only
    source VARCHAR,
    job VARCHAR,
    number INTEGER,
    kind VARCHAR,                -- run (an orchestrating build) | build
    state VARCHAR,               -- new | running | retry | recheck | gone
    attempts INTEGER,
    error VARCHAR,
    next_try TIMESTAMP,
    first_seen TIMESTAMP,
    updated_at TIMESTAMP
);

CREATE TABLE poll_log (          -- one row per poll cycle of a source
    source VARCHAR,
    started_at TIMESTAMP,
    duration_s DOUBLE,
    found INTEGER,
    ingested INTEGER,
    running INTEGER,
    failed INTEGER,
    results BIGINT,
    requests INTEGER,
    error VARCHAR
);

CREATE TABLE requests (          -- one row per piece of work asked for through the UI or API
    request BIGINT,
    kind VARCHAR,                -- poll | backfill | build
    source VARCHAR,
    payload VARCHAR,             -- JSON object
    state VARCHAR,               -- waiting | working | done | failed
    error VARCHAR,
    created_at TIMESTAMP,
    updated_at TIMESTAMP,
    author VARCHAR
);
