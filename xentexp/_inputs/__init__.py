"""Validation of what users pass, and its division into blocks of rows for the losses."""
