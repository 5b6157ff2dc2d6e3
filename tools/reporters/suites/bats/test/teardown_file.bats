teardown_file() {
  echo "tear-down of the file failed"
  return 1
}

@test "teardown of the file" {
  true
}
