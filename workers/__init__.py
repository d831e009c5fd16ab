"""What works on jobs: stages, models, and what runs them."""

import sys

# `import openvino` tells Intel by way of Google that it was imported, each time. As if that part were not installed, it
# does not; it has no switch for it.
sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]
