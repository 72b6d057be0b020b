"""Build typed objects from a composed configuration; no other module reads the configuration."""
