"""What the peers want of a process, before any test of this folder imports them."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras asks when it is imported

try:
    from absl import logging
except ImportError:
    pass  # no peer that brings it
else:
    # absl remembers the stderr of its import, which is pytest's capture of that moment, and
    # closes it when MLflow sets up logging anew: every later test of the process would fail.
    logging.get_absl_handler().python_handler.stream = sys.__stderr__
