use strict;
use warnings;
use Test::More tests => 1;

pass "teardown";
END { $? = 3 }
