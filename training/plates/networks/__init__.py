"""The networks: trained and exported."""
