"""Which alerts each fault fires, by what the roles say of themselves while it lasts. Prometheus' promtool decides."""
