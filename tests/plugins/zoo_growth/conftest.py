from __future__ import annotations

import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # test modules import small_networks by name
    sys.path.append(HERE)
