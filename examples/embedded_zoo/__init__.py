"""How the demo zoo that ships with the package is made."""
