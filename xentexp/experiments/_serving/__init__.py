"""Models that predict new rows: their columns, files, and what they were trained on."""
