"""What the project takes, in time and memory, as ratios measured side by side; `make bench` runs all of it."""
