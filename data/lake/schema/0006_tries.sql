-- Work that ends its process is given up after some tries, which a process cannot count that ends with them.

ALTER TABLE requests ADD COLUMN tries INTEGER DEFAULT 0;   -- processes that ended while they worked on it
ALTER TABLE ledger ADD COLUMN crashes INTEGER DEFAULT 0;   -- processes that ended while they read the build

-- The address of a Jenkins may have had a user and a token in it, which are settings of their own now.
UPDATE builds SET url = regexp_replace(url, '^(https?://)[^/@]*@', '\1') WHERE regexp_matches(url, '^https?://[^/@]*@');
UPDATE runs SET url = regexp_replace(url, '^(https?://)[^/@]*@', '\1') WHERE regexp_matches(url, '^https?://[^/@]*@');
