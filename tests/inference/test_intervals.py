

def test_an_infinite_loss_is_no_rounding_error() -> None:
    result = paired_difference([0.1, math.inf, 0.6], [0.1, 0.2, 0.6])
    assert result.difference == math.inf
    assert result.reason is not None
