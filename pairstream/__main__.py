"""`python -m pairstream`."""

from pairstream.cli import main

main()
