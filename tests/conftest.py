"""Shared fixtures; doctests use ellipses for the digits that do not matter."""
