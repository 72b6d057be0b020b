"""Engines that run fits: processes, threads and clusters, one module for each library."""
