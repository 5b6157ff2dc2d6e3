use strict;
use warnings;
use utf8;
use Test::More;

binmode Test::More->builder->$_, ":encoding(UTF-8)" for qw(output failure_output todo_output);
open my $file, "<:encoding(UTF-8)", "hostile.txt" or die;
my $text = do { local $/; <$file> };

fail 'hostile <b>&"]]> 😀 #1';
diag $text;
pass "pass";
fail "fail";
SKIP: {
    skip "not on this machine", 1;
    pass "skip";
}
TODO: {
    local $TODO = "not written yet";
    fail "todo";
}
is $_, 2, "twin" for 1, 2;
subtest setup => sub { plan tests => 2; fail "set-up failed" };
done_testing;
