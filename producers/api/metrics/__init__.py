"""What the stores know, for Prometheus: read when it is scraped, and partly where something does not answer."""
