"""What is computed beside each fit because it needs the model or the features."""
