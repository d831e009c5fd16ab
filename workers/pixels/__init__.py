"""Pictures in a worker's memory."""
