"""The generated parts of the documentation, one module a page; cog imports ``generate``."""
