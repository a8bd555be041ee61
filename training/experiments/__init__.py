"""The source documents' experiments, side by side: each a command that goes on where it was stopped."""
