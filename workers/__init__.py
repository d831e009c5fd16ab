"""What works on jobs: stages, models, and what runs them."""
