setup() {
  if [ "$BATS_TEST_DESCRIPTION" = setup ]; then echo "set-up failed"; return 1; fi
}

teardown() {
  if [ "$BATS_TEST_DESCRIPTION" = teardown ]; then echo "tear-down failed"; return 1; fi
}

@test "hostile <b>&]]> 😀 #1" {
  cat hostile.txt
  false
}

@test "pass" {
  true
}

@test "fail" {
  [ 1 -eq 2 ]
}

@test "error" {
  no-such-command
}

@test "skip" {
  skip "not on this machine"
}

@test "retry" {
  BATS_TEST_RETRIES=1
  [ -e retried ] || { touch retried; false; }
}

@test "twin 1" {
  [ 1 -eq 2 ]
}

@test "twin 2" {
  [ 2 -eq 2 ]
}

@test "setup" {
  true
}

@test "teardown" {
  true
}

@test "timeout" {
  sleep 30
}
