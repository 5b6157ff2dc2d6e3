-- Metadata of tests by file, class and name. Rows of before have the name alone, which counts where one test has it.

ALTER TABLE test_metadata ADD COLUMN file VARCHAR;  -- tests.file; NULL: not given
ALTER TABLE test_metadata ADD COLUMN class VARCHAR; -- tests.class; NULL: not given. With both, the row is about exactly one test
