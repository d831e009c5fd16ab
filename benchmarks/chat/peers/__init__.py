"""The same questions to the same model, as others would put them."""
