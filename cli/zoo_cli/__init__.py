"""The command line: arguments in, values from the core out."""
