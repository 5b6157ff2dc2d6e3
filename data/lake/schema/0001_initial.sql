-- The tables of the lake. Ids are 63-bit hashes of natural keys (data/model/ids.py); times are UTC; durations are seconds.
-- There are no keys or constraints: a writer replaces all rows of a build in one transaction (data/write/builds.py).

CREATE TABLE releases (          -- one row per release line
    release VARCHAR,             -- the line, such as 7.0
    active BOOLEAN,              -- whether screens show it
    first_seen TIMESTAMP         -- when its first run was read
);

CREATE TABLE jobs (              -- one row per known Jenkins job, to detect new builds cheaply
    source VARCHAR,
    job VARCHAR,                 -- full name
    next_build INTEGER,          -- nextBuildNumber at the last sweep
    seen_at TIMESTAMP,
    missing INTEGER              -- consecutive sweeps that did not find the job
);

CREATE TABLE runs (              -- one row per regression run: an orchestrating build in a release and environment, or a build
    run BIGINT,                  -- id: a hash of source, job, number, start, release and environment
    source VARCHAR,              -- the configured Jenkins
    job VARCHAR,                 -- full name of the orchestrating job
    number INTEGER,              -- Jenkins' number of the orchestrating build
    release VARCHAR,             -- release line
    version VARCHAR,             -- the version that was tested, such as 7.0.0.9
    environment VARCHAR,         -- such as prod or staging
    started_at TIMESTAMP,        -- UTC
    duration_s DOUBLE,           -- NULL while it runs
    state VARCHAR,               -- running | final
    result VARCHAR,              -- Jenkins' result, such as UNSTABLE; NULL while it runs
    display_name VARCHAR,        -- Jenkins' display name
    url VARCHAR                  -- in Jenkins
);

CREATE TABLE run_builds (        -- which builds a run lists; many to many; build is NULL until it is ingested
    run BIGINT,                  -- the run that listed the build
    source VARCHAR,              -- of the build
    job VARCHAR,                 -- of the build
    number INTEGER,              -- of the build
    module VARCHAR,              -- the job's module
    build BIGINT
);

CREATE TABLE builds (            -- one row per Jenkins build of a module job, or per import
    build BIGINT,                -- id: a hash of source, job, number and start
    source VARCHAR,              -- the configured Jenkins, or upload
    job VARCHAR,                 -- full name of the job
    number INTEGER,              -- Jenkins' build number
    started_at TIMESTAMP,        -- UTC
    duration_s DOUBLE,           -- NULL while it runs
    state VARCHAR,               -- running | final
    result VARCHAR,              -- Jenkins' result, such as UNSTABLE; NULL while it runs
    release VARCHAR,             -- release line
    version VARCHAR,             -- the version that was tested, such as 7.0.0.9
    environment VARCHAR,         -- such as prod or staging
    module VARCHAR,              -- the module that the job executes; results.module is the owning module
    display_name VARCHAR,        -- Jenkins' display name
    url VARCHAR,                 -- in Jenkins
    agent VARCHAR,               -- the Jenkins node
    revision VARCHAR,            -- the commit that was built; different results on one revision make a test flaky
    parameters VARCHAR,          -- JSON object
    causes VARCHAR,              -- JSON list
    artifacts INTEGER,           -- number of artifacts
    declared_total INTEGER,      -- Jenkins' own count, for comparison; NULL if it has none
    declared_failed INTEGER,
    declared_skipped INTEGER,
    total INTEGER,               -- final results, one per test and topology
    passed INTEGER,              -- of these
    failed INTEGER,              -- includes errors
    errors INTEGER,              -- of the failed: tests that could not run
    skipped INTEGER,             -- of these
    flags VARCHAR,               -- flags separated by spaces; for their meaning see FLAGS in data/model/build_record.py
    ingested_at TIMESTAMP        -- when ingest read it
);

CREATE TABLE build_counts (      -- one row per build, owning module and topology: the source of all counts on screens
    build BIGINT,
    release VARCHAR,             -- of the build
    started_at TIMESTAMP,        -- of the build
    module VARCHAR,              -- owning module
    topology VARCHAR,            -- or variant; empty if there is none
    total INTEGER,               -- final results
    passed INTEGER,              -- of these
    failed INTEGER,              -- of these; includes errors
    errors INTEGER,              -- of the failed
    skipped INTEGER,             -- of these
    duration_s DOUBLE            -- summed over the final results
);

CREATE TABLE results (           -- one row per attempt of a test in a build on one topology
    release VARCHAR,             -- of the build
    started_at TIMESTAMP,        -- of the build; queries bound it, so that partitions are pruned
    build BIGINT,
    module VARCHAR,              -- owning module
    test BIGINT,
    topology VARCHAR,            -- or variant; empty if there is none
    attempt INTEGER,             -- 1, 2, ...; more than 1 if the test was repeated
    is_final BOOLEAN,            -- whether it is the last attempt, the one that counts
    status VARCHAR,              -- failed | passed | skipped: in alphabetical order min() is the worst
    kind VARCHAR,                -- failure | error; NULL unless failed
    duration_s FLOAT,
    host VARCHAR,                -- the host it ran on
    position INTEGER,            -- order of execution within the report
    signature BIGINT             -- failure pattern; NULL if there is no text
);
ALTER TABLE results SET PARTITIONED BY (release, year(started_at), month(started_at));
ALTER TABLE results SET SORTED BY (module, test, started_at);

CREATE TABLE failures (          -- one row per failed attempt with a text
    release VARCHAR,             -- of the build
    started_at TIMESTAMP,        -- of the build
    build BIGINT,
    module VARCHAR,              -- owning module
    test BIGINT,
    topology VARCHAR,            -- or variant
    attempt INTEGER,
    signature BIGINT,            -- failure pattern
    message VARCHAR,             -- failure message, one or a few lines
    trace VARCHAR,               -- stack trace
    output VARCHAR               -- end of what the test printed
);
ALTER TABLE failures SET PARTITIONED BY (release, year(started_at), month(started_at));
ALTER TABLE failures SET SORTED BY (module, test, started_at);

CREATE TABLE tests (             -- one row per test identity
    test BIGINT,                 -- id: a hash of file::class::name
    file VARCHAR,                -- path in the repository
    class VARCHAR,
    name VARCHAR,                -- with its parameters
    base_name VARCHAR,           -- the name without its parameters
    module VARCHAR,              -- owning module when first seen
    first_seen TIMESTAMP         -- when it first ran
);
ALTER TABLE tests SET SORTED BY (module, test);

CREATE TABLE test_metadata (     -- facts by base name; the row of a release overrides the global one (release is NULL)
    base_name VARCHAR,           -- tests.base_name
    release VARCHAR,             -- NULL: every release
    priority VARCHAR,            -- P0 (highest) to P3
    case_id VARCHAR,             -- the test plan's id
    testrail_id VARCHAR,
    component VARCHAR,
    owner VARCHAR,               -- person or team
    topology VARCHAR,            -- the topology it is meant for
    state VARCHAR,               -- state in the test plan
    removed BOOLEAN              -- removed from the test plan
);

CREATE TABLE signatures (        -- one row per failure pattern
    signature BIGINT,            -- id
    pattern VARCHAR,             -- also a LIKE pattern
    example VARCHAR,             -- a message that matches
    first_seen TIMESTAMP
);

CREATE TABLE commits (           -- one row per commit in the change set of a build
    build BIGINT,
    position INTEGER,            -- within the change set
    revision VARCHAR,
    author VARCHAR,
    message VARCHAR,             -- first line
    committed_at TIMESTAMP,      -- UTC
    url VARCHAR
);

CREATE TABLE warnings (          -- one row per parser warning about a raw file of a build
    build BIGINT,
    path VARCHAR,                -- of the file
    message VARCHAR              -- the warning
);

CREATE TABLE raw_files (         -- one row per raw input of a build: feeds `rebuild`
    build BIGINT,                -- id of the build; or of a run (its orchestrating build), or of a request (its upload)
    started_at TIMESTAMP,
    path VARCHAR,                -- within the artifacts of the build; for a zip, the pattern it was requested with
    kind VARCHAR,                -- build (its API object) | junit | order | test_report | console ... | build_map
    encoding VARCHAR,            -- zstd | zip (several files, as received)
    size BIGINT,                 -- bytes as received
    content BLOB
);
ALTER TABLE raw_files SET PARTITIONED BY (year(started_at), month(started_at));

CREATE TABLE ledger (            -- one row per discovered build that is not finished
    source VARCHAR,
    job VARCHAR,
    number INTEGER,
    kind VARCHAR,                -- run (an orchestrating build) | build
    state VARCHAR,               -- new | running | retry | recheck | gone
    attempts INTEGER,            -- so far
    error VARCHAR,               -- of the last attempt
    next_try TIMESTAMP,
    first_seen TIMESTAMP,
    updated_at TIMESTAMP
);

CREATE TABLE poll_log (          -- one row per poll cycle of a source
    source VARCHAR,
    started_at TIMESTAMP,        -- UTC
    duration_s DOUBLE,
    found INTEGER,               -- builds discovered
    ingested INTEGER,            -- builds read
    running INTEGER,             -- builds still running
    failed INTEGER,              -- builds that could not be read
    results BIGINT,              -- results read
    requests INTEGER,            -- HTTP requests sent
    error VARCHAR                -- the error that ended the cycle
);

CREATE TABLE requests (          -- one row per piece of work requested on screens, by API or by command
    request BIGINT,              -- id
    kind VARCHAR,                -- poll | discover | build | backfill | upload
    source VARCHAR,
    payload VARCHAR,             -- JSON object
    state VARCHAR,               -- waiting | working | done | failed
    error VARCHAR,
    created_at TIMESTAMP,
    updated_at TIMESTAMP,
    author VARCHAR               -- api, dashboard or the name of a program
);
