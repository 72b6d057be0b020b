"""Uncertainty: paired comparisons of losses and the tests behind them."""
