"""The database: its tables, who writes them, and who asks."""
