setup_file() {
  echo "set-up of the file failed"
  return 1
}

@test "setup of the file" {
  true
}
