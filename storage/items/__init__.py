"""What was found on items, as rows: who writes it for which pipeline, and the tables that serve any."""
