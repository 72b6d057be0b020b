"""Keras asks for its backend when it is imported: set before any test of this folder is."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")
