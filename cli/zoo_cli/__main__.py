"""``python -m zoo_cli``: the ``zoo`` command where no script is on the path."""

from __future__ import annotations

from zoo_cli.main import main

main()
