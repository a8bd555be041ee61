"""The offline trainer: data, losses, fit, evaluation, bundle."""
