"""One module a command group; imported when the command runs."""
