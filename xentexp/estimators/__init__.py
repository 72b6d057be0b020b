"""scikit-learn classifiers that are trained on any loss."""
