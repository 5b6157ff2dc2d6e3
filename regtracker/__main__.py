"""`python -m regtracker`: starts the child processes of the demo and of `up`, independent of PATH."""

from regtracker import main

main(prog_name="regtracker")
