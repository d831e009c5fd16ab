"""How photos, folders and videos become jobs."""
