"""What plugin authors and our own tests use: checks, fixtures, a loopback Hub."""
