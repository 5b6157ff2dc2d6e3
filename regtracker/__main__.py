"""`python -m regtracker`: the processes of the demo and of `up` are started so, whatever the PATH says."""

from regtracker import main

main(prog_name="regtracker")
