use strict;
use warnings;
use Test::More;

pass "before the error";
die "not an assertion";
