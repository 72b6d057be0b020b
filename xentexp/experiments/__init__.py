"""The experiment harness: data sets, folds, candidates, results, reports and tracking."""
