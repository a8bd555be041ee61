"""The shipped model behind what people would take instead; each answers POST /classify with the probabilities."""
